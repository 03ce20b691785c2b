// The latest runs as dots: when they began, how long they took, how they ended.

import { h, s } from "/page/dom.js";
import { fold } from "/page/fold.js";
import { clock, mark, span, took } from "/page/words.js";

const HEIGHT = 150;
const LEFT = 64;
const BOTTOM = 22;

export function scatter(root, runs) {
  const WIDTH = Math.max(300, root.clientWidth);
  const said = WIDTH + runs.map((run) => run.run + run.status).join();
  if (root.said === said) return;
  root.said = said;
  if (runs.length < 2) return root.replaceChildren();
  const dots = runs.map((run) => ({ run, at: Date.parse(run.accepted), ms: Math.max(1, took(run) ?? 1) }));
  // by when they began: those that took long would leave the others no room
  const folded = fold(dots.map((dot) => [dot.at, dot.at + 250]));
  const low = Math.log10(Math.min(...dots.map((dot) => dot.ms)));
  const high = Math.max(low + 0.5, Math.log10(Math.max(...dots.map((dot) => dot.ms))));
  const x = (at) => LEFT + 12 + folded.at(at) * (WIDTH - LEFT - 28);
  const y = (ms) => HEIGHT - BOTTOM - 10 - ((Math.log10(ms) - low) / (high - low)) * (HEIGHT - BOTTOM - 24);
  const marks = [];
  for (let power = Math.ceil(low); power <= high; power += 1) {
    const at = y(10 ** power);
    marks.push(s("line", { x1: LEFT, x2: WIDTH, y1: at, y2: at, class: "rule" }), s("text", { x: LEFT - 8, y: at + 4, "text-anchor": "end" }, said10(power)));
  }
  const waits = folded.waits.map((wait) => s("rect", { x: x(wait.from), width: Math.max(0, x(wait.to) - x(wait.from)), y: 6, height: HEIGHT - BOTTOM - 6, class: "fold" }, s("title", {}, `nothing began for ${span(wait.to - wait.from)}`)));
  const points = dots.map(({ run, at, ms }) => s("a", { href: `/runs/${run.run}`, tabindex: "-1" },
    s("circle", { cx: x(at).toFixed(1), cy: y(ms).toFixed(1), r: 4.5, class: mark(run.compensation === "partial" ? "partial" : run.status)[1] },
      s("title", {}, `${run.pipeline}: ${run.status}, ${span(ms)}, ${clock(run.accepted)}`))));
  const picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `The latest ${runs.length} runs by time and duration` }, ...marks, ...waits, ...points,
    s("text", { x: LEFT, y: HEIGHT - 4 }, clock(runs.at(-1).accepted)), s("text", { x: WIDTH, y: HEIGHT - 4, "text-anchor": "end" }, clock(runs[0].accepted)));
  const legend = [["completed", "completed"], ["undone", "compensated"], ["partly undone or abandoned", "partial"], ["under way", "running"]];
  root.replaceChildren(picture, h("p", { class: "legend" }, legend.map(([text, status]) => h("span", { class: mark(status)[1] }, h("span", { class: "dot", "aria-hidden": "true" }), text))));
}

const said10 = (power) => ({ 0: "1 ms", 1: "10 ms", 2: "100 ms", 3: "1 s", 4: "10 s", 5: "100 s", 6: "17 min", 7: "3 h" })[power] ?? `10^${power} ms`;
