// Which bundle of definitions is in force, which were, what differs, and the way back.

import { get, listen } from "/page/api.js";
import { ask } from "/page/commands.js";
import { calmly, command, copy, empty, h, keyed } from "/page/dom.js";
import { difference } from "/page/difference.js";
import { count, moment, short, time, word } from "/page/words.js";

const brief = (digest) => digest.slice(7, 19);
const hash = (digest) => h("span", {}, h("code", { class: "hash", title: digest }, brief(digest)), copy(digest));
const compare = (from, to) => `/versions?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;

function runs(version) {
  if (!version.live_runs) return "no run under way";
  const named = version.runs.flatMap((run) => [h("a", { href: `/runs/${run}` }, h("code", {}, short(run))), " "]);
  return [`${count(version.live_runs, "run")} under way: `, ...named, version.live_runs > version.runs.length ? "…" : ""];
}

function card(version, active, previous, done) {
  const offer = { name: "Bring into force", path: "/activate", line: `stratum activate ${version.digest}`, says: `New runs begin with ${brief(version.digest)}. Runs under way end with the version that they have.`, more: { wanted: version.digest } };
  const pair = version.active ? (previous ? [previous, version.digest, "What changed"] : null) : [version.digest, active, "Compare"];
  return h("article", { class: `card version ${version.active ? "active" : ""}`, "data-digest": version.digest },
    h("div", { class: "what" },
      h("h3", {}, h("code", { title: version.digest }, brief(version.digest)), copy(version.digest), version.active ? word("in force") : ""),
      h("p", { class: "dim" }, "since ", time(version.activated), ` by ${version.by}`, version.cached ? "" : ", not kept here"),
      h("p", { class: "dim" }, runs(version)),
      h("p", { class: "dim wrap" }, version.signer ? `signed by ${version.signer}` : "trusted by its digest")),
    h("div", { class: "does" },
      pair && version.cached ? h("a", { class: "button", href: compare(pair[0], pair[1]) }, pair[2]) : null,
      version.active ? null : h("button", { type: "button", onclick: () => ask(offer, done) }, offer.name)));
}

function past(activations) {
  return h("table", { class: "past" }, h("thead", {}, h("tr", {}, ["When", "What", "Version", "By", "Why"].map((each) => h("th", {}, each)))),
    h("tbody", {}, activations.slice(0, 50).map((each) => h("tr", {}, h("td", { class: "num" }, h("span", { title: moment(each.at) }, time(each.at))), h("td", {}, word(each.kind)), h("td", {}, hash(each.digest)), h("td", {}, each.by), h("td", { class: "wrap" }, each.reason)))));
}

export async function show({ root, query, signal, linked, failed }) {
  document.title = "Versions · Stratum";
  const actions = h("div", { class: "actions" });
  const compared = h("section", { class: "compared" });
  const list = h("div", { class: "cards" });
  const history = h("section", {});
  root.append(h("h1", {}, "Versions"), h("p", { class: "lead" }, "What is in force, what was, and what lies between. Runs end with the version that they began with."), actions, compared, list, history);
  const [from, to] = [query.get("from"), query.get("to")];
  if (from && to) {
    const what = h("div", {});
    compared.append(h("h2", {}, "From ", h("code", { title: from }, brief(from)), " to ", h("code", { title: to }, brief(to))), what,
      h("p", { class: "tail" }, h("a", { href: "/versions" }, "Close"), " ", command(`stratum diff ${from} ${to} --content`)));
    difference(what, from, to, signal).catch(failed);
  }

  async function read() {
    try {
      const [{ versions }, { activations }] = await Promise.all([get("/versions", {}, signal), get("/activations", {}, signal)]);
      root.querySelector(":scope > .problem")?.remove();
      const active = versions.find((each) => each.active);
      const previous = active && activations[0]?.digest === active.digest ? activations[0].previous : null;
      const back = { name: "Roll back", path: "/rollback", line: "stratum rollback", says: previous ? `Brings ${brief(previous)} back into force. Runs under way end with the version that they have.` : "" };
      keyed(actions, previous ? [previous] : [], (each) => each, () => h("button", { type: "button", class: "danger rollback", title: back.says, onclick: () => ask(back, again) }, `Roll back to ${brief(previous)}`));
      if (versions.length) keyed(list, versions.map((version) => ({ version, active: active?.digest, previous })), (each) => each.version.digest, (each) => card(each.version, each.active, each.previous, again));
      else list.replaceChildren(empty("No bundle is in force.", "The definitions come from folders, and are what lies there. Publish them, and there are versions: ", command("stratum publish REFERENCE")));
      history.replaceChildren(...(activations.length ? [h("h2", {}, "What came into force"), past(activations)] : []));
    } catch (error) {
      failed(error);
    }
  }
  const again = calmly(read, 500, signal);
  again();
  listen(null, signal, (kind) => (kind === "activation" || kind === "reset") && again(), linked);
  const timer = setInterval(again, 15000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
