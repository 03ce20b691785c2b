// A time scale on which long waits, in which nothing ran, take hardly any room. Pure.

const FOLDED = 0.05; // of the width, for each wait
const WORTH_MS = 1000; // a shorter wait is shown as it is
const WORTH = 0.2; // of all the time in which something ran

/** When something ran: sorted spans `[from, to]` that do not overlap. */
function busy(spans) {
  const merged = [];
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/**
 * Of any number of spans `[from, to]` in ms: `{at(ms) -> 0..1, waits: [{from, to, left, right}]}`.
 */
export function fold(spans) {
  const runs = busy(spans);
  if (!runs.length) return { at: () => 0, waits: [] };
  const total = runs.reduce((sum, [from, to]) => sum + to - from, 0);
  const limit = Math.max(WORTH_MS, total * WORTH);
  const pieces = [];
  for (const [from, to] of runs) {
    const last = pieces.at(-1);
    if (last) pieces.push({ from: last.to, to: from, folded: from - last.to > limit });
    pieces.push({ from, to, folded: false });
  }
  const waits = Math.min(pieces.filter((each) => each.folded).length, 12);
  const shown = pieces.filter((each) => !each.folded).reduce((sum, each) => sum + each.to - each.from, 0) || 1;
  const folded = pieces.filter((each) => each.folded).length;
  const each = folded ? (FOLDED * waits) / folded : 0;
  const scale = (1 - FOLDED * waits) / shown;
  let left = 0;
  for (const piece of pieces) {
    piece.left = left;
    left += piece.folded ? each : (piece.to - piece.from) * scale;
    piece.right = left;
  }
  const at = (ms) => {
    const piece = pieces.find((one) => ms <= one.to) ?? pieces.at(-1);
    const part = piece.to === piece.from ? 0 : (ms - piece.from) / (piece.to - piece.from);
    return Math.min(1, Math.max(0, piece.left + (piece.right - piece.left) * Math.min(1, Math.max(0, part))));
  };
  return { at, waits: pieces.filter((one) => one.folded) };
}
