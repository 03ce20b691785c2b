// The picture of a run: stages from left to right, and what was undone mirrored below.

import { h, s } from "/page/dom.js";
import { back, BOX, curve, layout } from "/page/layout.js";
import { open, standing, tally } from "/page/record.js";
import { mark, span, took, word } from "/page/words.js";

const HEAD = 30;
const AXIS = 52;
const MANY_EDGES = 600;
const LETTERS = 24;

const cut = (name) => (name.length > LETTERS ? `${name.slice(0, LETTERS - 1)}…` : name);

function box(name, at, label) {
  const sign = s("text", { x: 14, y: 32, class: "said" });
  const group = s("g", {
    class: "node dim", transform: `translate(${at.x} ${at.y})`, tabindex: "-1", role: "button", "data-node": name,
  },
  s("title", {}, label),
  s("rect", { width: BOX.width, height: BOX.height, rx: 7, class: "box" }),
  s("rect", { width: 4, height: BOX.height - 14, x: 0, y: 7, rx: 2, class: "side" }),
  s("text", { x: 14, y: 18, class: "name" }, cut(label)), sign);
  return { group, sign };
}

function tell(drawn, record, idle) {
  const status = record?.status ?? idle;
  const [sign, tone] = mark(status);
  const time = record && status !== "skipped" ? span(took(record)) : "";
  const tries = record?.attempts > 1 ? ` · ${record.attempts} attempts` : "";
  const said = `${sign} ${status}${time && ` · ${time}`}${tries}`;
  if (drawn.said === said + tone) return;
  drawn.said = said + tone;
  drawn.sign.textContent = said;
  const chosen = drawn.group.classList.contains("chosen") ? " chosen" : "";
  drawn.group.setAttribute("class", `node ${tone}${chosen}`);
  drawn.group.setAttribute("aria-label", `${drawn.group.dataset.node}: ${said}`);
}

const path = (kind, d) => s("path", { class: `edge ${kind}`, d, "marker-end": `url(#tip-${kind})` });

function tip(kind) {
  return s("marker", { id: `tip-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse", class: `tip ${kind}` },
    s("path", { d: "M1 1 7 4 1 7" }));
}

/** Draw it into root; gives `{update(run), choose(name)}`. */
export function stages(root, plan, pick) {
  const placed = layout(plan.stages, plan.edges);
  const forth = new Map();
  const undone = new Map();
  const picture = s("svg", { class: "stages", role: "group", "aria-label": "Stages from left to right", width: placed.width });
  const heads = plan.stages.map((names, stage) => s("text", {
    x: BOX.edge + stage * (BOX.width + BOX.across), y: 14, class: "head",
  }, `Stage ${stage + 1}`, names.length > 1 ? s("tspan", { class: "more" }, `  ${names.length} side by side`) : ""));
  const below = s("g", { class: "below" });
  const at = (name) => ({ ...placed.nodes.get(name), y: placed.nodes.get(name).y + HEAD });
  const ways = plan.edges.map(({ from, to }) => ({ from, to })).filter(({ from, to }) => placed.nodes.has(from) && placed.nodes.has(to));
  const curves = ways.map(({ from, to }) => curve(at(from), at(to)));
  const edges = curves.length > MANY_EDGES ? [s("path", { class: "edge forth many", d: curves.join("") })] : curves.map((d) => path("forth", d));
  const chosen = s("g", {});
  for (const name of placed.nodes.keys()) forth.set(name, box(name, at(name), name));
  picture.append(s("defs", {}, tip("forth"), tip("back"), tip("hot")), ...heads, ...edges, chosen, ...[...forth.values()].map((each) => each.group), below);
  const counts = h("p", { class: "tally", "aria-live": "polite" });
  root.replaceChildren(counts, h("div", { class: "scroll", tabindex: "0" }, picture));
  roving(picture, pick);

  // the reflection: a node stands as far below the axis as it stands above it
  const mirror = (name) => ({ ...at(name), y: HEAD + placed.height + AXIS + (placed.height - placed.nodes.get(name).y - BOX.height) });

  function reflect(records) {
    const fresh = [...records.keys()].filter((name) => !undone.has(name) && placed.nodes.has(name));
    if (fresh.length) {
      for (const name of fresh) undone.set(name, box(name, mirror(name), `undo ${name}`));
      const both = ways.filter(({ from, to }) => undone.has(from) && undone.has(to));
      const curves = both.map(({ from, to }) => back(mirror(to), mirror(from)));
      const axis = HEAD + placed.height + AXIS / 2;
      below.replaceChildren(
        s("line", { x1: 0, x2: placed.width, y1: axis, y2: axis, class: "axis" }),
        s("text", { x: placed.width - BOX.edge, y: axis - 7, class: "turn", "text-anchor": "end" }, "↩ turned back: undone from right to left"),
        ...(curves.length > MANY_EDGES ? [s("path", { class: "edge back many", d: curves.join("") })] : curves.map((d) => path("back", d))),
        ...[...undone.values()].map((each) => each.group));
    }
    const rows = [...undone.keys()].map((name) => mirror(name).y + BOX.height);
    picture.setAttribute("height", undone.size ? Math.max(...rows) + 16 : HEAD + placed.height + 16);
  }

  return {
    update(run) {
      const over = ["completed", "compensated", "abandoned"].includes(run.status);
      const steps = standing(run, "steps");
      const undos = standing(run, "compensations");
      const asked = new Set(open(run).map((each) => each.node));
      for (const [name, drawn] of forth) tell(drawn, steps.get(name), over ? "not reached" : asked.has(name) ? "asked" : "waiting");
      reflect(undos);
      for (const [name, drawn] of undone) tell(drawn, undos.get(name), "waiting");
      const waiting = placed.nodes.size - steps.size;
      const all = [...tally(steps.values()), ...(waiting > 0 ? [[over ? "not reached" : "waiting", waiting]] : [])];
      counts.replaceChildren(...all.flatMap(([status, n]) => [h("span", {}, `${n} × `, word(status))]),
        ...(undos.size ? [h("span", { class: "rule" }, "way back:"), ...tally(undos.values()).map(([status, n]) => h("span", {}, `${n} × `, word(status)))] : []));
    },
    choose(name) {
      for (const each of picture.querySelectorAll(".chosen")) each.classList.remove("chosen");
      for (const each of [forth.get(name), undone.get(name)]) each?.group.classList.add("chosen");
      const hot = ways.filter(({ from, to }) => from === name || to === name);
      chosen.replaceChildren(...hot.map(({ from, to }) => path("hot", curve(at(from), at(to)))));
    },
  };
}

/** One stop for the tab key, the arrows go from box to box; `pick(name)` is told of a choice. */
export function roving(picture, pick) {
  const chosen = (event) => event.target.closest?.(".node")?.dataset.node;
  picture.addEventListener("click", (event) => chosen(event) && pick(chosen(event)));
  picture.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || !chosen(event)) return;
    event.preventDefault();
    pick(chosen(event));
  });
  const first = picture.querySelector(".node");
  first?.setAttribute("tabindex", "0");
  picture.addEventListener("keydown", (event) => {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    const way = ways[event.key];
    const here = document.activeElement?.closest?.(".node");
    if (!way || !here) return;
    event.preventDefault();
    const from = here.getBoundingClientRect();
    let best = null;
    for (const each of picture.querySelectorAll(".node")) {
      const to = each.getBoundingClientRect();
      const [dx, dy] = [to.x - from.x, to.y - from.y];
      const along = dx * way[0] + dy * way[1];
      const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (along > 4 && (!best || along + 3 * aside < best.far)) best = { each, far: along + 3 * aside };
    }
    if (!best) return;
    here.setAttribute("tabindex", "-1");
    best.each.setAttribute("tabindex", "0");
    best.each.focus();
  });
}
