// A run as the page holds it: what was read, and what has been heard since. Pure.

const key = (each) => `${each.node} ${each.attempt}`;

/** The run with one attempt moved on; what its script gave and said is read when asked for. */
export function heard(run, kind, told) {
  if (kind === "run") return { ...run, ...told, event: run.event };
  if (kind === "checkpoint") return asked(run, told);
  if (kind === "answer") return { ...run, checkpoints: run.checkpoints.map((each) => (each.node === told.node ? { ...each, answers: [...each.answers.filter((one) => one.person !== told.person), told] } : each)) };
  if (kind !== "step" && kind !== "compensation") return run;
  const list = kind === "step" ? "steps" : "compensations";
  const old = run[list].find((each) => key(each) === key(told));
  const rest = run[list].filter((each) => each !== old);
  return { ...run, [list]: [...rest, { ...old, ...told }] };
}

function asked(run, told) {
  const old = run.checkpoints.find((each) => each.node === told.node);
  return { ...run, checkpoints: [...run.checkpoints.filter((each) => each !== old), { answers: [], ...old, ...told }] };
}

/** The questions that wait for answers. */
export const open = (run) => (run.checkpoints ?? []).filter((each) => each.status === "open");

/** Name to `{status, attempt, attempts, started, ended, error}`: where each node is. */
export function standing(run, list) {
  const found = new Map();
  for (const each of run[list]) {
    const old = found.get(each.node);
    const attempts = (old?.attempts ?? 0) + 1;
    found.set(each.node, { ...(!old || each.attempt >= old.attempt ? each : old), attempts });
  }
  return found;
}

/** How many are where: `[[status, n], …]`. */
export function tally(records) {
  const counts = new Map();
  for (const { status } of records) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** Every attempt, forward and back, as they began. */
export const attempts = (run) => [
  ...run.steps.map((each) => ({ ...each, kind: "run" })),
  ...run.compensations.map((each) => ({ ...each, kind: "undo" })),
].filter((each) => each.started).map((each) => ({ ...each, from: Date.parse(each.started), to: each.ended ? Date.parse(each.ended) : null }))
  .sort((a, b) => a.from - b.from || (a.node < b.node ? -1 : 1));
