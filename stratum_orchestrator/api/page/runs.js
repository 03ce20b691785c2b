// All runs, found by what is known of them.

import { get, listen } from "/page/api.js";
import { calmly, command, empty, h, keyed } from "/page/dom.js";
import { filters, pager } from "/page/filters.js";
import { runRow } from "/page/rows.js";

const STATES = ["accepted", "running", "suspended", "compensating", "completed", "compensated", "abandoned"];
const HOURS = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 };
const PAGE = 50;

function asked(query) {
  const params = Object.fromEntries(["status", "pipeline", "text", "after", "since", "until", "publisher"].map((name) => [name, query.get(name)]));
  const hours = HOURS[params.since];
  if (hours) params.since = new Date(Date.now() - hours * 3600000).toISOString();
  if (params.status === "live") Object.assign(params, { status: "", live: "true" });
  if (params.status === "attention") return { attention: "true", after: params.after };
  return params;
}

export async function show({ root, query, signal, go, linked, failed }) {
  document.title = "Runs · Stratum";
  const { pipelines } = await get("/pipelines", {}, signal).catch(() => ({ pipelines: [] }));
  const names = [...new Set([...pipelines.map((each) => each.pipeline), query.get("pipeline")].filter(Boolean))].sort();
  const bar = filters([
    { name: "text", label: "Find", hint: "id, subject, event, publisher, cause" },
    { name: "status", label: "State", choices: [["", "any"], ["live", "under way"], ["attention", "needs somebody"], ...STATES.map((each) => [each, each])] },
    { name: "pipeline", label: "Pipeline", choices: [["", "any"], ...names.map((each) => [each, each])] },
    { name: "since", label: "Since", choices: [["", "ever"], ["1h", "an hour"], ["24h", "a day"], ["7d", "a week"], ["30d", "a month"]] },
  ], query, go);
  const list = h("div", { class: "list" });
  const foot = h("div", {});
  root.append(h("h1", {}, "Runs"), bar, list, foot);
  if (document.activeElement === document.body && query.get("text")) bar.elements.text.focus();

  async function read() {
    try {
      const page = await get("/runs", { ...asked(query), limit: PAGE }, signal);
      root.querySelector(":scope > .problem")?.remove();
      foot.replaceChildren(pager(query, page.next));
      if (page.runs.length) keyed(list, page.runs, (run) => run.run, runRow);
      else {
        list.keyed = new Map();
        list.replaceChildren([...query].length ? empty("No run is like that.", "An event that started nothing is among the ", h("a", { href: "/events" }, "events"), ".") : empty("Nothing has run yet.", command("stratum emit SUBJECT --data '{}'")));
      }
    } catch (error) {
      failed(error);
    }
  }
  const again = calmly(read, 1000, signal);
  again();
  if (!query.get("after")) listen(null, signal, (kind) => kind !== "verdict" && again(), linked);
  const timer = setInterval(again, 15000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
