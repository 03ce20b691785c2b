// One run: its stages, its time line, why it ran, its journal, and what can be done about it.

import { get, listen, runPath } from "/page/api.js";
import { offers } from "/page/commands.js";
import { calmly, command, copy, h, json, pair } from "/page/dom.js";
import { journal } from "/page/journal.js";
import { node } from "/page/node.js";
import { heldBy } from "/page/pipelines.js";
import { heard } from "/page/record.js";
import { stages } from "/page/stages.js";
import { timeline } from "/page/timeline.js";
import { isOver, moment, runWord, short, span, took } from "/page/words.js";

const CALM_MS = 200; // and more where there is more to draw
const AGAIN_MS = 10000; // for runs of other instances, of which nothing is heard here

/** What is known of the plan when it is not kept any more. */
const shape = (run) => ({ stages: run.stages, edges: [], nodes: [], pruned: [] });

function headline(run) {
  const is = run.event.principal;
  return [
    h("p", { class: "crumbs" }, h("a", { href: "/runs" }, "Runs"), " / ", h("code", {}, short(run.run)), " ", copy(run.run, "copy id")),
    h("div", { class: "headline" }, h("h1", {}, run.pipeline), runWord(run), h("span", { class: "num dim" }, span(took(run)))),
    h("p", { class: "dim" }, `${run.subject}, published by ${is}, accepted ${moment(run.accepted)}`),
  ];
}

function banner(run) {
  const parts = [];
  if (run.attention) parts.push(h("div", { class: "card attention" }, h("strong", {}, "This run needs somebody. "), run.attention.reason, h("div", { class: "commands" }, run.attention.commands.map((line) => command(line)))));
  if (run.cause) parts.push(h("div", { class: "card cause" }, h("strong", {}, isOver(run) ? "It turned back: " : "It is turning back: "), run.cause,
    run.compensation === "clean" ? h("p", { class: "undo" }, "↩ Everything that had happened was undone.") : "",
    run.compensation === "partial" ? h("p", { class: "bad" }, run.waived ? "■ Not everything was undone; an operator has accepted that." : "✖ Not everything could be undone.") : ""));
  if (run.instruction) parts.push(h("div", { class: "card" }, h("strong", {}, `${run.instruction.by} said ${run.instruction.action}: `), run.instruction.reason ?? ""));
  return parts;
}

/** Why a run that is accepted does not begin. */
async function waits(run, signal) {
  if (run.status !== "accepted") return [];
  const { pipelines } = await get("/pipelines", {}, signal).catch(() => ({ pipelines: [] }));
  const found = pipelines.find((each) => each.pipeline === run.pipeline && each.standing !== "active");
  return found ? [h("div", { class: "card notice" }, h("strong", {}, "It waits: "), h("a", { href: "/pipelines" }, run.pipeline), " is ", heldBy(found))] : [];
}

function why(run) {
  const decided = run.authorization ?? {};
  return [
    h("dl", { class: "facts" },
      pair("Event", h("code", { class: "wrap" }, run.event.id), " ", copy(run.event.id), " ", h("a", { href: `/events?text=${encodeURIComponent(run.event.id)}` }, "its verdict")),
      pair("Subject", h("code", {}, run.subject)), pair("Signed at", moment(run.event.time)),
      pair("Signed by", h("strong", {}, run.event.principal), " ", h("code", { class: "wrap" }, run.event.publisher)),
      pair("Signature", h("span", { class: "good" }, "✔ verified before it was accepted")),
      pair("Policy", h("span", { class: decided.allowed ? "good" : "bad" }, decided.allowed ? "✔ permitted" : "✖ denied"), decided.policies?.length ? ` by ${decided.policies.join(", ")}` : ""),
      decided.policy_set ? pair("Policies", h("code", { class: "hash", title: decided.policy_set }, decided.policy_set.slice(0, 19)), " ", copy(decided.policy_set)) : null,
      pair("Plan", h("code", { class: "hash", title: run.plan }, run.plan.slice(0, 19)), " ", copy(run.plan)),
      pair("Generation", h("code", { class: "hash", title: run.generation }, run.generation.slice(0, 19)), " ", copy(run.generation))),
    h("h3", {}, "Payload"), json(run.event.data),
  ];
}

export async function show({ root, argument, query, signal, go, linked, failed }) {
  let run = await get(runPath(argument), {}, signal);
  document.title = `${run.pipeline} ${short(run.run)} · Stratum`;
  const plan = await get(runPath(run.run, "/plan"), {}, signal).catch(() => shape(run));
  const part = (title, ...what) => h("section", { class: "part" }, h("h2", {}, title), ...what);
  const head = h("header", { class: "runhead" });
  const notes = h("div", { class: "cards" });
  const actions = h("div", { class: "actions" });
  const picture = h("div", { class: "picture" });
  const panel = h("aside", { class: "panel", "aria-label": "The chosen node" });
  const lines = h("div", { class: "timeline" });
  const reasons = h("div", {});
  const audit = h("details", { class: "audit", ontoggle: () => audit.open && readJournal() }, h("summary", {}, "Show and verify the journal"), h("div", {}));
  root.append(head, actions, notes, h("div", { class: "split" }, h("div", { class: "column" }, part("Stages", picture), part("Time line", lines), part("Why it ran", reasons)), panel),
    part("Journal", audit), part("On the command line", h("div", { class: "commands" }, command(`stratum run show ${run.run}`), command(`stratum run watch ${run.run}`), command(`stratum audit verify ${run.run}`))));

  let chosen = null;
  const readNode = calmly(async () => {
    if (chosen) await node(panel, run.run, chosen, signal).catch(() => panel.replaceChildren(h("h3", {}, chosen), h("p", { class: "dim" }, "Its definition is not kept any more.")));
  }, 500, signal);
  const readJournal = () => journal(audit.lastElementChild, run.run, signal).catch(failed);
  const drawn = stages(picture, plan, pick);
  const line = timeline(lines, pick);

  function pick(name) {
    chosen = name;
    drawn.choose(name);
    readNode();
    query.set("node", name);
    history.replaceState(null, "", `${location.pathname}?${query}`);
  }

  function draw() {
    head.replaceChildren(...headline(run));
    const said = JSON.stringify([run.status, run.attention, run.cause, run.compensation, run.waived, run.instruction, run.checkpoints]);
    if (notes.said !== said) {
      notes.said = said;
      notes.replaceChildren(...banner(run));
      waits(run, signal).then((more) => run.status === "accepted" && notes.append(...more));
      actions.replaceChildren(...offers(run, go, failed, readAll));
      if (!reasons.firstChild) reasons.replaceChildren(...why(run).filter(Boolean));
    }
    drawn.update(run);
    line.update(run);
  }

  async function readAll() {
    try {
      run = await get(runPath(run.run), {}, signal);
      root.querySelector(":scope > .problem")?.remove();
      draw();
      if (chosen) readNode();
      if (audit.open) await readJournal();
    } catch (error) {
      failed(error);
    }
  }

  draw();
  const worst = [...run.steps].reverse().find((each) => ["failed", "timed-out", "lost"].includes(each.status));
  const first = query.get("node") ?? worst?.node ?? null;
  if (first) {
    chosen = first;
    drawn.choose(first);
    readNode();
  } else panel.replaceChildren(h("p", { class: "dim" }, "Choose a node to see what it was given, what it gave and what it said."));
  const redraw = calmly(draw, CALM_MS + plan.stages.flat().length, signal);
  const readSoon = calmly(readAll, 1000, signal);
  listen(run.run, signal, (kind, told) => {
    if (kind === "hello") return readSoon();
    if (kind === "reset") return readSoon();
    run = heard(run, kind, told);
    redraw();
    if (told.node === chosen) readNode();
    if (["run", "credential", "checkpoint", "answer"].includes(kind)) readSoon();
  }, linked);
  const tick = setInterval(() => isOver(run) || redraw(), 1000);
  const again = setInterval(() => isOver(run) || readSoon(), AGAIN_MS);
  signal.addEventListener("abort", () => [tick, again].forEach(clearInterval));
}
