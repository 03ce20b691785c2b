// The time line: a row for each attempt, as they began. Only the rows in sight exist.

import { h } from "/page/dom.js";
import { fold } from "/page/fold.js";
import { attempts } from "/page/record.js";
import { clock, mark, span, took } from "/page/words.js";

const ROW = 28;
const MOST = 520;
const LETTER = 7; // about, in px
const NAMES = 272; // what the names of the rows take, in px
const NAMES_NARROW = 154;

/** Draw into root; gives `{update(run)}`. */
export function timeline(root, pick) {
  const rows = h("div", { class: "rows" });
  const scroll = h("div", { class: "lines", tabindex: "0", onscroll: () => draw() }, rows);
  const scale = h("div", { class: "scale" });
  root.replaceChildren(scale, scroll);
  new ResizeObserver(([seen]) => {
    width = seen.contentRect.width - (seen.contentRect.width < 600 ? NAMES_NARROW : NAMES);
    draw();
  }).observe(root);
  let all = [];
  let folded = fold([]);
  let now = 0;
  let width = 0;

  function row(each, n) {
    const [sign, tone] = mark(each.status);
    const left = folded.at(each.from);
    const right = folded.at(each.to ?? now);
    const bar = h("span", { class: `span ${tone}` });
    bar.style.left = `${left * 100}%`;
    bar.style.width = `max(3px, ${(right - left) * 100}%)`;
    const label = `${sign} ${each.status} · ${span(took(each, now))}`;
    const said = h("span", { class: `label ${tone}` }, label);
    const room = label.length * LETTER + 12;
    if ((1 - right) * width >= room) said.style.left = `calc(${right * 100}% + 6px)`;
    else if (left * width >= room) said.style.right = `calc(${(1 - left) * 100}% + 6px)`;
    else {
      said.style.right = "0";
      said.classList.add("inside");
    }
    const name = each.kind === "undo" ? `↩ ${each.node}` : each.node;
    const line = h("button", { type: "button", class: `line ${each.kind}`, title: `${name}, attempt ${each.attempt}: ${label}`, onclick: () => pick(each.node) },
      h("span", { class: "who" }, name, each.attempt > 1 ? h("span", { class: "try" }, ` #${each.attempt}`) : ""),
      h("span", { class: "track" }, ...folded.waits.map(fissure), bar, said));
    line.style.top = `${n * ROW}px`;
    return line;
  }

  function draw() {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 4);
    const last = Math.min(all.length, first + Math.ceil(MOST / ROW) + 8);
    const focused = rows.contains(document.activeElement) ? document.activeElement.title : null;
    rows.replaceChildren(...all.slice(first, last).map((each, n) => row(each, first + n)));
    if (focused) [...rows.children].find((each) => each.title === focused)?.focus({ preventScroll: true });
  }

  return {
    update(run) {
      all = attempts(run);
      now = run.ended ? Date.parse(run.ended) : Date.now();
      folded = fold(all.map((each) => [each.from, each.to ?? now]));
      rows.style.height = `${all.length * ROW}px`;
      scroll.style.maxHeight = `${MOST}px`;
      const first = all[0]?.started;
      scale.replaceChildren(...(first ? [
        h("span", { class: "who" }, `from ${clock(first, true)}`),
        h("span", { class: "track" }, ...folded.waits.map((wait) => {
          const said = h("span", { class: "wait", title: `nothing ran for ${span(wait.to - wait.from)}` }, `${span(wait.to - wait.from)} idle`);
          said.style.left = `${((wait.left + wait.right) / 2) * 100}%`;
          return said;
        }), h("span", { class: "end" }, `+${span(now - Date.parse(first))}`)),
      ] : [h("span", { class: "dim" }, "Nothing has begun yet.")]));
      draw();
    },
  };
}

function fissure(wait) {
  const gap = h("span", { class: "fissure" });
  gap.style.left = `${wait.left * 100}%`;
  gap.style.width = `${(wait.right - wait.left) * 100}%`;
  return gap;
}
