// How it stands: what is under way, what needs somebody, and how it went lately.

import { get, listen } from "/page/api.js";
import { calmly, command, empty, h, keyed } from "/page/dom.js";
import { heldBy } from "/page/pipelines.js";
import { runRow } from "/page/rows.js";
import { scatter } from "/page/scatter.js";
import { ago, count, runWord, span, took } from "/page/words.js";

const CALM_MS = 1000;
const RECENT = 200;
const MINUTES = 10;

function tile(title, figure, note, tone = "") {
  return h("div", { class: `tile ${tone}` }, h("div", { class: "figure" }, figure), h("div", { class: "title" }, title), h("div", { class: "note" }, note));
}

function sentence(live, needy) {
  const parts = [];
  if (needy.runs.length) parts.push(`${count(needy.runs.length, "run needs", "runs need")} you`);
  if (live.runs.length) parts.push(`${count(live.runs.length, "run is", "runs are")} under way`);
  return parts.length ? `${parts.join(", ")}.` : "All is quiet.";
}

function rate(runs) {
  const from = Date.now() - MINUTES * 60000;
  const lately = runs.filter((run) => Date.parse(run.accepted) >= from);
  const whole = lately.length === runs.length && runs.length === RECENT;
  const minutes = whole ? (Date.now() - Date.parse(runs.at(-1).accepted)) / 60000 : MINUTES;
  const per = lately.length / Math.max(minutes, 1 / 60);
  return per >= 10 || per === 0 ? Math.round(per).toLocaleString("en") : per.toFixed(1);
}

function tiles(live, needy, recent) {
  const back = live.runs.filter((run) => run.status === "compensating");
  const failed = recent.runs.filter((run) => run.status === "compensated" || run.status === "abandoned");
  const oldest = live.runs.at(-1);
  const more = live.next ? "+" : "";
  return [
    tile("under way", `${live.runs.length - back.length}${more}`, "not over yet", live.runs.length > back.length ? "busy" : ""),
    tile("turning back", back.length, "being undone", back.length ? "undo" : ""),
    tile("need somebody", `${needy.runs.length}${needy.next ? "+" : ""}`, needy.runs.length ? "see below" : "nothing to do", needy.runs.length ? "bad" : "good"),
    tile("failed", failed.length, `of the latest ${recent.runs.length}`, failed.length ? "warn" : ""),
    tile("a minute", rate(recent.runs), `over ${MINUTES} minutes`),
    tile("oldest", oldest ? span(took(oldest)).split(" ").slice(0, 2).join(" ") : "–", oldest ? oldest.pipeline : "no run under way"),
  ];
}

function needyCard(run) {
  return h("article", { class: "card attention" },
    h("h3", {}, h("a", { class: "row plain", href: `/runs/${run.run}` }, run.pipeline), " ", runWord(run), h("span", { class: "dim" }, ` ${ago(run.accepted)}`)),
    h("p", {}, run.attention.reason),
    h("div", { class: "commands" }, run.attention.commands.map((line) => command(line))));
}

export async function show({ root, signal, linked, failed }) {
  document.title = "Stratum";
  const parts = {
    title: h("h1", {}), held: h("div", { class: "cards" }), tiles: h("div", { class: "tiles" }), needy: h("div", { class: "cards" }),
    needyHead: h("h2", { hidden: true }, "Needs somebody"), live: h("div", { class: "list" }), picture: h("div", { class: "scatter" }), latest: h("div", { class: "list" }),
  };
  const liveHead = h("h2", { hidden: true }, "Under way");
  root.append(parts.title, parts.tiles, parts.held, parts.needyHead, parts.needy, liveHead, parts.live,
    h("h2", {}, "Lately"), parts.picture, parts.latest,
    h("p", {}, h("a", { href: "/runs" }, "All runs")));

  async function read() {
    try {
      const [live, needy, recent, { pipelines }] = await Promise.all([
        get("/runs", { live: "true", limit: RECENT }, signal),
        get("/runs", { attention: "true", limit: 20 }, signal),
        get("/runs", { limit: RECENT }, signal),
        get("/pipelines", {}, signal).catch(() => ({ pipelines: [] })),
      ]);
      const held = pipelines.filter((each) => each.standing !== "active");
      parts.held.replaceChildren(...held.map((each) => h("div", { class: "card notice" }, h("a", { href: "/pipelines" }, each.pipeline), " is ", heldBy(each))));
      root.querySelector(":scope > .problem")?.remove();
      parts.title.textContent = sentence(live, needy);
      document.title = needy.runs.length ? `(${needy.runs.length}) Stratum` : "Stratum";
      parts.tiles.replaceChildren(...tiles(live, needy, recent));
      parts.needyHead.hidden = !needy.runs.length;
      keyed(parts.needy, needy.runs, (run) => run.run, needyCard);
      liveHead.hidden = !live.runs.length;
      keyed(parts.live, live.runs.slice(0, 12), (run) => run.run, runRow);
      scatter(parts.picture, recent.runs);
      if (recent.runs.length) keyed(parts.latest, recent.runs.slice(0, 12), (run) => run.run, runRow);
      else parts.latest.replaceChildren(empty("Nothing has run yet.", "Publish an event: ", command("stratum emit SUBJECT --data '{}'")));
    } catch (error) {
      failed(error);
    }
  }
  const again = calmly(read, CALM_MS, signal);
  again();
  listen(null, signal, again, linked);
  const timer = setInterval(again, 15000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
