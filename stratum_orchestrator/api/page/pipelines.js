// What can be triggered, how it stands, and holding it back.

import { get, listen } from "/page/api.js";
import { ask } from "/page/commands.js";
import { calmly, command, empty, h, keyed } from "/page/dom.js";
import { count, time, word } from "/page/words.js";

const SAYS = {
  pause: "Its events are accepted, and their runs wait. What is under way goes on.",
  disable: "Its events are refused, and the verdict says so. What is under way goes on.",
  resume: "What waits begins, the oldest first.",
};
const NAMES = { pause: "Pause", disable: "Disable", resume: "Resume" };

function offer(verb, pipeline) {
  return { name: NAMES[verb], says: SAYS[verb], path: `/pipelines/${encodeURIComponent(pipeline)}/${verb}`, line: `stratum pipeline ${verb} ${pipeline}`, danger: verb === "disable" };
}

/** Why a pipeline stands as it does: who wanted it, when and why. */
export const heldBy = ({ held }) => h("p", { class: "warn" }, `${held.standing} by ${held.by}, `, time(held.at), `: ${held.reason}`);

function card(each, done) {
  const is = each.standing;
  const verbs = is === "active" ? ["pause", "disable"] : is === "paused" ? ["resume", "disable"] : ["resume"];
  const name = encodeURIComponent(each.pipeline);
  return h("article", { class: `card pipeline ${is}`, "data-pipeline": each.pipeline },
    h("div", { class: "what" },
      h("h3", {}, each.pipeline, word(is), each.waiting ? h("span", { class: "word warn" }, `${count(each.waiting, "run waits", "runs wait")}`) : ""),
      is === "active" ? null : heldBy(each),
      h("p", {}, each.subjects.length ? each.subjects.flatMap((subject) => [h("code", {}, `⚡ ${subject}`), " "]) : h("span", { class: "dim" }, "no longer defined")),
      h("p", { class: "links" }, h("a", { href: `/runs?pipeline=${name}` }, "Runs"), h("a", { href: `/runs?pipeline=${name}&status=live` }, "Under way"), h("a", { href: `/graph?pipeline=${name}` }, count(each.nodes, "node")))),
    h("div", { class: "does" }, verbs.map((verb) => h("button", { type: "button", class: verb === "disable" ? "danger" : "", title: SAYS[verb], onclick: () => ask(offer(verb, each.pipeline), done) }, NAMES[verb]))));
}

export async function show({ root, signal, linked, failed }) {
  document.title = "Pipelines · Stratum";
  const list = h("div", { class: "cards" });
  root.append(h("h1", {}, "Pipelines"), h("p", { class: "lead" }, "What events start. Hold one back here: it stays so over restarts, on every instance."), list);

  async function read() {
    try {
      const { pipelines } = await get("/pipelines", {}, signal);
      root.querySelector(":scope > .problem")?.remove();
      const held = (each) => (each.standing === "active" ? 1 : 0);
      pipelines.sort((a, b) => held(a) - held(b));
      if (pipelines.length) keyed(list, pipelines, (each) => each.pipeline, (each) => card(each, again));
      else list.replaceChildren(empty("No node has a trigger.", command("stratum new pipeline --list")));
    } catch (error) {
      failed(error);
    }
  }
  const again = calmly(read, 500, signal);
  again();
  listen(null, signal, (kind) => (kind === "standing" || kind === "activation" || kind === "reset") && again(), linked);
  const timer = setInterval(again, 15000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
