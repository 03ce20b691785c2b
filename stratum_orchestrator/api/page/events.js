// What became of every event, and why: where to look when nothing ran.

import { get, listen } from "/page/api.js";
import { calmly, copy, empty, h, json, keyed, pair } from "/page/dom.js";
import { filters, pager } from "/page/filters.js";
import { moment, short, time, word } from "/page/words.js";

const KINDS = ["accepted", "refused", "duplicate", "no-pipeline"];

function decisions(all) {
  return all.map((each) => h("li", {},
    h("strong", {}, each.pipeline || "the version"), ": ",
    each.allowed === undefined ? h("span", { class: "bad" }, "refused") : each.allowed ? h("span", { class: "good" }, "permitted") : h("span", { class: "bad" }, "denied"),
    each.policies?.length ? ` by ${each.policies.join(", ")}` : "", each.reason ? `. ${each.reason}` : ""));
}

function verdictRow(verdict) {
  const runs = () => verdict.runs.map((run) => h("a", { href: `/runs/${run}` }, h("code", {}, short(run)), " "));
  return h("details", { class: "verdict" },
    h("summary", { class: "row" },
      h("span", { class: "state" }, word(verdict.kind)),
      h("span", { class: "what" }, h("strong", {}, verdict.subject)),
      h("span", { class: "why" }, verdict.kind === "accepted" ? runs() : verdict.code === verdict.kind ? verdict.reason : `${verdict.code}: ${verdict.reason}`),
      h("span", { class: "when num" }, time(verdict.at))),
    h("dl", { class: "facts" },
      pair("Why", verdict.reason),
      verdict.authorization.length ? pair("Decided", h("ul", { class: "decisions" }, decisions(verdict.authorization))) : null,
      verdict.runs.length ? pair("Runs", runs()) : null,
      pair("Event", h("code", {}, verdict.event_id || "none"), " ", copy(verdict.event_id)),
      pair("Signed by", h("code", { class: "wrap" }, verdict.publisher || "nobody")),
      pair("Stored", `${moment(verdict.stored)}, number ${verdict.sequence} in the stream`)),
    verdict.authorization.length ? h("details", {}, h("summary", {}, "The decision as recorded"), json(verdict.authorization)) : null);
}

export async function show({ root, query, signal, go, linked, failed }) {
  document.title = "Events · Stratum";
  const bar = filters([
    { name: "text", label: "Why did nothing run?", hint: "the event's id, its subject, or a publisher's key" },
    { name: "kind", label: "Verdict", choices: [["", "any"], ...KINDS.map((each) => [each, each])] },
  ], query, go);
  const list = h("div", { class: "list" });
  const foot = h("div", {});
  root.append(h("h1", {}, "Events"), h("p", { class: "lead" }, "Every event that was stored has one verdict."), bar, list, foot);

  async function read() {
    try {
      const page = await get("/verdicts", { text: query.get("text"), kind: query.get("kind"), after: query.get("after"), limit: 50 }, signal);
      root.querySelector(":scope > .problem")?.remove();
      foot.replaceChildren(pager(query, page.next));
      if (page.verdicts.length) keyed(list, page.verdicts, (each) => each.id, verdictRow);
      else {
        list.keyed = new Map();
        list.replaceChildren(query.get("text")
          ? empty("No verdict is about that.", "Then the event was never stored: its publisher holds no acknowledgment, or it was published under a subject outside of the event stream.")
          : empty("No event has come in yet."));
      }
      if (query.get("text") && page.verdicts.length === 1) list.firstElementChild.open = true;
    } catch (error) {
      failed(error);
    }
  }
  const again = calmly(read, 1000, signal);
  again();
  if (!query.get("after")) listen(null, signal, (kind) => kind !== "run" && again(), linked);
}
