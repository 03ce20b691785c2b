// Elements from data. Text goes in as text and never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, kids) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kids.flat(3).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return element;
}

/** An HTML element: `h("a", {href: "/"}, "text", child)`. */
export const h = (tag, props, ...kids) => fill(document.createElement(tag), props, kids);

/** Likewise of SVG. */
export const s = (tag, props, ...kids) => fill(document.createElementNS(SVG, tag), props, kids);

/** Show items as children of root, reusing those whose key and content are as they were. */
export function keyed(root, items, key, build) {
  const before = root.keyed ?? new Map();
  const after = new Map();
  for (const item of items) {
    const said = JSON.stringify(item);
    const old = before.get(key(item));
    after.set(key(item), old?.said === said ? old : { said, element: swap(old?.element, build(item)) });
  }
  root.keyed = after;
  const wanted = [...after.values()].map((each) => each.element);
  const same = wanted.length === root.children.length && wanted.every((each, n) => each === root.children[n]);
  if (!same) {
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    root.replaceChildren(...wanted);
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }
}

function swap(old, fresh) {
  if (old && old === document.activeElement) {
    old.replaceWith(fresh);
    fresh.focus({ preventScroll: true });
  }
  return fresh;
}

/** Call at most every so many ms, and once more when there was more. */
export function calmly(call, ms, signal) {
  let timer = null;
  let again = false;
  const run = async () => {
    again = false;
    try {
      await call();
    } finally {
      timer = signal?.aborted ? null : setTimeout(() => {
        timer = null;
        if (again) start();
      }, ms);
    }
  };
  const start = () => {
    if (timer !== null) again = true;
    else {
      timer = 0;
      run();
    }
  };
  return start;
}

/** A button that copies text and says so. */
export function copy(text, label = "copy") {
  const button = h("button", {
    type: "button",
    class: "copy",
    title: `Copy: ${text}`,
    async onclick() {
      await navigator.clipboard?.writeText(text).catch(() => null);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = label), 1500);
    },
  }, label);
  return button;
}

/** A command line, to be copied. */
export const command = (line) => h("span", { class: "command" }, h("code", {}, line), copy(line));

/** A value as indented JSON. */
export const json = (value) => h("pre", { class: "json", tabindex: "0" }, JSON.stringify(value, null, 2));

/** A term and what it is. */
export const pair = (term, ...what) => h("div", { class: "pair" }, h("dt", {}, term), h("dd", {}, ...what));

/** What is said when there is nothing to show. */
export const empty = (title, ...more) => h("div", { class: "empty" }, h("p", { class: "lead" }, title), ...more.map((each) => h("p", {}, each)));
