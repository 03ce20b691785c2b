// Where nodes stand: stages are the columns. Pure, so that it can be measured by itself.

export const BOX = { width: 196, height: 46, across: 68, down: 12, edge: 16 };

/** Columns of names with few crossings: each is drawn to where its neighbors stand. */
function ordered(stages, edges) {
  const columns = stages.map((each) => [...each]);
  const place = new Map(columns.flatMap((column) => column.map((name, row) => [name, row / Math.max(1, column.length - 1)])));
  const near = { 1: new Map(), "-1": new Map() };
  for (const { from, to } of edges) {
    if (!place.has(from) || !place.has(to)) continue;
    (near[1].get(to) ?? near[1].set(to, []).get(to)).push(from);
    (near[-1].get(from) ?? near[-1].set(from, []).get(from)).push(to);
  }
  for (const way of [1, -1, 1]) {
    for (const column of way === 1 ? columns : [...columns].reverse()) {
      const middle = new Map(column.map((name) => {
        const others = near[way].get(name);
        return [name, others ? others.reduce((sum, each) => sum + place.get(each), 0) / others.length : place.get(name)];
      }));
      column.sort((a, b) => middle.get(a) - middle.get(b));
      column.forEach((name, row) => place.set(name, row / Math.max(1, column.length - 1)));
    }
  }
  return columns;
}

/** `{nodes: name -> {x, y, stage}, width, height}` of stages of names and `{from, to}` edges. */
export function layout(stages, edges) {
  const columns = ordered(stages, edges);
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const pitch = BOX.height + BOX.down;
  const nodes = new Map();
  columns.forEach((column, stage) => {
    const top = ((tallest - column.length) * pitch) / 2;
    column.forEach((name, row) => {
      nodes.set(name, { stage, x: BOX.edge + stage * (BOX.width + BOX.across), y: top + row * pitch });
    });
  });
  return {
    nodes,
    width: 2 * BOX.edge + columns.length * BOX.width + Math.max(0, columns.length - 1) * BOX.across,
    height: tallest * pitch - BOX.down,
  };
}

/** The curve from the right side of one box to the left side of another. */
export function curve(from, to) {
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** Likewise on the way back: from the left side of one box to the right side of another. */
export function back(from, to) {
  const [x1, y1] = [from.x, from.y + BOX.height / 2];
  const [x2, y2] = [to.x + BOX.width, to.y + BOX.height / 2];
  const bend = Math.max(24, (x1 - x2) / 2);
  return `M${x1} ${y1}C${x1 - bend} ${y1} ${x2 + bend} ${y2} ${x2} ${y2}`;
}

/** Stages of a graph without a plan: each node behind all that feed it. */
export function depths(names, edges) {
  const depth = new Map(names.map((name) => [name, 0]));
  const feeds = edges.filter(({ from, to }) => depth.has(from) && depth.has(to));
  for (let round = 0, moved = true; moved && round < names.length; round += 1) {
    moved = false;
    for (const { from, to } of feeds) {
      if (depth.get(to) <= depth.get(from)) {
        depth.set(to, depth.get(from) + 1);
        moved = true;
      }
    }
  }
  const stages = [];
  for (const [name, at] of depth) (stages[at] ??= []).push(name);
  return [...stages].map((each) => each ?? []);
}
