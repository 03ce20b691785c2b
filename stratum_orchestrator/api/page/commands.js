// What an operator can have done about a run: each asks for a reason, and shows its command line.

import { post, runPath } from "/page/api.js";
import { command, h } from "/page/dom.js";
import { open } from "/page/record.js";
import { isOver } from "/page/words.js";

function possible(run) {
  if (!isOver(run)) {
    return [
      run.status === "compensating" ? null : { name: "Cancel", path: runPath(run.run, "/cancel"), line: `stratum run cancel ${run.run}`, says: "Stop it and undo everything that has happened." },
      run.status === "suspended" ? null : { name: "Retry", path: runPath(run.run, "/retry"), line: `stratum run retry ${run.run}`, says: "Take it up again, if it is stuck." },
      { name: "Abandon", path: runPath(run.run, "/abandon"), line: `stratum run abandon ${run.run}`, says: "End it where it is. Nothing is undone.", danger: true },
    ].filter(Boolean);
  }
  const again = run.status === "completed" ? { again: true } : {};
  return [{ name: "Run again", path: runPath(run.run, "/retry"), line: `stratum run retry ${run.run}${again.again ? " --again" : ""}`, says: "Begin it anew with the same event, as a new run.", more: again }];
}

function answering(run) {
  return open(run).flatMap(({ node, groups, count, answers }) => {
    const path = (verb) => runPath(run.run, `/checkpoints/${encodeURIComponent(node)}/${verb}`);
    const who = `${groups.join(" or ")}${count > 1 ? `, and ${answers.length} of ${count} have approved` : ""}`;
    return [
      { name: `Approve ${node}`, path: path("approve"), line: `stratum run approve ${run.run} ${node}`, says: `It asks ${who}. Look at what ${node} is given, then let it begin.`, silent: true },
      { name: `Reject ${node}`, path: path("reject"), line: `stratum run reject ${run.run} ${node}`, says: "Turn the run back: everything that has happened is undone.", danger: true },
    ];
  });
}

function undoing(run) {
  const latest = new Map();
  for (const each of run.compensations) if (each.attempt >= (latest.get(each.node)?.attempt ?? 0)) latest.set(each.node, each);
  if (!isOver(run)) return [];
  return [...latest.values()].filter((each) => each.status === "failed").flatMap(({ node }) => [
    { name: `Undo ${node} again`, path: runPath(run.run, `/compensations/${encodeURIComponent(node)}/retry`), line: `stratum compensation retry ${run.run} ${node}`, says: "Run its compensation once more." },
    { name: `Waive ${node}`, path: runPath(run.run, `/compensations/${encodeURIComponent(node)}/waive`), line: `stratum compensation waive ${run.run} ${node}`, says: "Accept that it was not undone." },
  ]);
}

/** Ask for a reason, then have it done: `{name, says, path, line, more}`; `done(told)` afterwards. */
export function ask(offer, done) {
  const reason = h("input", { id: "reason", required: !offer.silent, maxlength: 500, autocomplete: "off" });
  const trouble = h("p", { class: "bad", role: "alert" });
  const send = h("button", { class: offer.danger ? "danger" : "primary", type: "submit" }, offer.name);
  const dialog = h("dialog", { onclose: () => dialog.remove() },
    h("form", {
      async onsubmit(event) {
        event.preventDefault();
        send.disabled = true;
        try {
          const told = await post(offer.path, { reason: reason.value.trim(), ...offer.more });
          dialog.close();
          done(told);
        } catch (error) {
          trouble.textContent = [error.message, error.remedy].filter(Boolean).join(" – ");
          send.disabled = false;
        }
      },
    },
    h("h2", {}, `${offer.name}?`), h("p", {}, offer.says),
    h("label", { for: "reason" }, offer.silent ? "Why, if you want to say? It goes into the journal." : "Why? It goes into the journal."), reason, trouble,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Leave it"), send),
    h("p", { class: "dim" }, "The same on the command line:"), command(`${offer.line} --reason "…"`)));
  document.body.append(dialog);
  dialog.showModal();
  reason.focus();
}

/** The buttons for what can be done about the run as it stands. */
export const offers = (run, go, failed, done) => [...answering(run), ...possible(run), ...undoing(run)].map((offer) =>
  h("button", { type: "button", class: offer.danger ? "danger" : "", title: offer.says, onclick: () => ask(offer, (told) => (told.run === run.run ? done() : go(`/runs/${told.run}`))) }, offer.name));
