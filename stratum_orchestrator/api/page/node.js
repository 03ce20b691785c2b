// One node of a run: what it was given, what it gave and said, attempt by attempt.

import { get, runPath } from "/page/api.js";
import { copy, h, json, pair } from "/page/dom.js";
import { clock, span, took, word } from "/page/words.js";

const has = (value) => value && Object.keys(value).length > 0;

function block(title, ...what) {
  return h("section", { class: "block" }, h("h4", {}, title), ...what);
}

function value(title, data) {
  return block(h("span", {}, title, " ", copy(JSON.stringify(data))), json(data));
}

function receipt(lease) {
  return h("dl", { class: "facts receipt" },
    pair("Of", `${lease.names.join(", ")}, from ${lease.provider}`), pair("Now", word(lease.status)),
    lease.accessor ? pair("Accessor", h("code", { class: "hash" }, lease.accessor)) : null,
    lease.issued ? pair("Lent", `${clock(lease.issued, true)}${lease.ended ? ` to ${clock(lease.ended, true)}` : ""}`) : null,
    lease.detail ? pair("Note", lease.detail) : null);
}

function attempt(each, kind, lent) {
  const facts = [
    pair("State", word(each.status)),
    pair("Began", clock(each.started, true)),
    pair("Took", span(took(each)) || "not known"),
    each.outcome ? pair("Undoes a step that", each.outcome) : null,
    each.error ? pair("Error", h("span", { class: "bad" }, each.error.message ?? each.error.class)) : null,
    each.error?.exit_code ? pair("Exit code", each.error.exit_code) : null,
    each.level ? pair("Contained by", each.level) : null,
    has(each.resources) ? pair("Used", used(each.resources)) : null,
    each.instruction ? pair("Told by", `${each.instruction.by}: ${each.instruction.reason}`) : null,
  ];
  return [
    h("dl", { class: "facts" }, facts),
    each.stderr ? block("Log (stderr)", h("pre", { class: "log", tabindex: "0" }, each.stderr)) : h("p", { class: "dim" }, "It wrote nothing to its log."),
    kind === "run" && each.outputs ? value("Outputs", each.outputs) : null,
    lent.length ? block("Credentials lent", lent.map(receipt)) : null,
  ];
}

function question(asked) {
  return h("dl", { class: "facts" },
    pair("Asked", asked.groups.join(" or "), asked.count > 1 ? `, ${asked.count} people` : ""), pair("Now", word(asked.status)),
    pair(asked.status === "open" ? "Until" : "Closed", clock(asked.ended ?? asked.deadline)),
    asked.answers.map((each) => pair(each.person, word(each.status), " ", each.reason)),
    asked.detail ? pair("Note", asked.detail) : null,
    pair("About inputs", h("code", { class: "hash", title: asked.inputs }, asked.inputs.slice(0, 19))));
}

function used({ cpu_ms: cpu, max_rss: rss }) {
  const parts = [cpu === null ? "" : `${cpu} ms of processor time`, rss ? `${Math.round(rss / 1048576)} MiB` : ""];
  return parts.filter(Boolean).join(", ");
}

/** Show the node in root. */
export async function node(root, run, name, signal) {
  const told = await get(runPath(run, `/nodes/${encodeURIComponent(name)}`), {}, signal);
  const its = told.definition;
  const all = [
    ...told.steps.map((each) => [each, "run"]),
    ...told.compensations.map((each) => [each, "undo"]),
  ].sort((a, b) => Date.parse(a[0].started) - Date.parse(b[0].started));
  const shown = h("div", {});
  const tabs = all.map(([each, kind]) => h("button", {
    type: "button", class: "tab",
    onclick(event) {
      for (const tab of tabs) tab.setAttribute("aria-pressed", tab === event.currentTarget);
      root.chosenTry = `${kind} ${each.attempt}`;
      shown.replaceChildren(...attempt(each, kind, told.credentials.filter((lease) => (lease.purpose === "do" ? "run" : "undo") === kind && lease.attempt === each.attempt)).filter(Boolean));
    },
  }, `${kind === "undo" ? "undo" : "attempt"} ${each.attempt} `, word(each.status)));
  root.replaceChildren(...[
    h("h3", {}, name),
    its.description ? h("p", { class: "dim" }, its.description) : "",
    all.length ? h("div", { class: "tabs", role: "group", "aria-label": "Attempts" }, tabs) : h("p", { class: "dim" }, "It has not begun."),
    told.checkpoints.map(question),
    shown,
    has(told.inputs) ? value("Inputs", told.inputs) : block("Inputs", h("p", { class: "dim" }, its.consumes.length ? "None are there yet." : "It needs the event alone.")),
    block("Definition", h("dl", { class: "facts" },
      pair("File", h("code", {}, its.file)), pair("Version", its.version), pair("Effect", its.effect),
      its.consumes.length ? pair("Needs", its.consumes.join(", ")) : null,
      its.produces.length ? pair("Gives", its.produces.join(", ")) : null,
      pair("Compensation", its.compensated ? "declared" : "none"),
      pair("Content", h("code", { class: "hash", title: its.tree }, its.tree.slice(0, 19)), " ", copy(its.tree)),
      its.asks ? pair("Asks", `${its.asks.groups.join(" or ")}, ${its.asks.count} of them`) : null,
      pair("Idempotency key", h("code", {}, told.idempotency_key)))),
  ].flat());
  const wanted = all.findIndex(([each, kind]) => root.chosenTry === `${kind} ${each.attempt}` && root.chosenNode === name);
  root.chosenNode = name;
  tabs.at(wanted >= 0 ? wanted : -1)?.click();
}
