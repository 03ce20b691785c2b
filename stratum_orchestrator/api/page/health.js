// Whether all is well: checks, what is wrong with the definitions, and who shares the database.

import { get } from "/page/api.js";
import { command, copy, h, pair } from "/page/dom.js";
import { ago, count, moment, span, word } from "/page/words.js";

const SILENT_MS = 30000;

const state = (each) => (each.ok ? (each.degraded || each.name === "attention" ? "look" : "ok") : "not ok");
const check = (each) => h("li", { class: "check" }, h("span", { class: "state" }, word(state(each))), h("strong", {}, each.name), h("span", { class: "dim wrap" }, each.detail));

function finding(each) {
  const place = `${each.file ?? ""}${each.line ? `:${each.line}` : ""}`;
  return h("li", { class: "finding" }, word(each.severity), " ", h("code", {}, place), h("p", {}, each.message), each.hint ? h("p", { class: "dim" }, each.hint) : null);
}

/** Instances by name, each with the lanes that it writes through. */
function members(lanes) {
  const found = new Map();
  for (const each of lanes) {
    const name = each.instance ?? "";
    const old = found.get(name) ?? { name, lanes: [], heard: Infinity, here: false };
    found.set(name, { ...old, lanes: [...old.lanes, each.lane], heard: Math.min(old.heard, each.heard_ms), here: old.here || each.this });
  }
  return [...found.values()].sort((a, b) => b.here - a.here || (a.name < b.name ? -1 : 1));
}

function member(each) {
  const isFree = each.name === "";
  const isSilent = !isFree && each.heard > SILENT_MS;
  return h("article", { class: `card instance ${each.here ? "here" : ""} ${isSilent ? "silent" : ""}` },
    h("div", { class: "what" },
      h("h3", {}, isFree ? "Nobody" : each.name, isFree ? "" : word(isSilent ? "silent" : "alive"), each.here ? h("span", { class: "dim" }, "serves this page") : ""),
      h("p", { class: "dim" }, isFree ? "Lanes that were given back; whoever needs one takes it." : `heard of ${span(each.heard)} ago`)),
    h("div", { class: "lanes" }, each.lanes.sort().map((lane) => h("span", {}, `lane ${lane}`))));
}

export async function show({ root, signal, failed }) {
  document.title = "Health · Stratum";
  async function read() {
    if (root.contains(document.activeElement) && root.querySelector("button:focus")) return;
    try {
      const [status, { instances }, { pipelines }] = await Promise.all([get("/status", {}, signal), get("/instances", {}, signal), get("/pipelines", {}, signal).catch(() => ({ pipelines: [] }))]);
      root.querySelector(":scope > .problem")?.remove();
      const bad = status.checks.filter((each) => !each.ok);
      root.replaceChildren(
        h("h1", {}, bad.length ? `${count(bad.length, "check")} failed.` : "All checks hold."),
        h("ul", { class: "checks" }, status.checks.map(check)),
        h("h2", {}, "This instance"),
        h("dl", { class: "facts" }, pair("Name", status.instance), pair("Version", status.version), pair("Started", `${moment(status.started)} (${ago(status.started)})`), pair("Under way here", count(status.live_runs, "run")),
          pair("Generation", h("code", { class: "hash", title: status.generation ?? "" }, status.generation?.slice(0, 19) ?? "none"), " ", status.generation ? copy(status.generation) : "")),
        h("h2", {}, "Definitions"),
        status.reload?.why ? h("p", { class: "card notice" }, h("strong", {}, "The latest change is not in force: "), status.reload.why) : "",
        status.diagnostics.length ? h("ul", { class: "findings" }, status.diagnostics.map(finding)) : h("p", {}, h("a", { href: "/pipelines" }, count(pipelines.length, "pipeline")), ", and nothing to complain about."),
        h("h2", {}, "Instances"),
        h("p", { class: "lead" }, "Everybody who shares the database. A silent one's runs are taken over."),
        h("div", { class: "cards" }, members(instances).map(member)),
        h("p", {}, "For programs: ", h("a", { href: "/readyz?verbose", target: "_blank" }, "readiness"), ", ", h("a", { href: "/metrics", target: "_blank" }, "metrics"), ". On the command line: ", command("stratum doctor")));
    } catch (error) {
      failed(error);
    }
  }
  await read();
  const timer = setInterval(read, 5000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
