// Everything can be reached with the keyboard; these are the short ways.

import { h } from "/page/dom.js";

const isTyping = (target) => target.closest("input, textarea, select, dialog");

/** Move the focus among the rows of the list in sight. */
function step(by) {
  const rows = [...document.querySelectorAll("#main .row")];
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement);
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

export function showKeys(pages) {
  const lines = [
    ["j, k", "next, previous row"], ["Enter", "open it"], ["/", "to the filter"],
    ...pages.map(([, name, , key]) => [`g ${key}`, name]), ["Esc", "back out"], ["?", "this list"],
  ];
  const dialog = h("dialog", { class: "keys", onclose: () => dialog.remove() },
    h("h2", {}, "Keys"),
    h("dl", {}, lines.map(([key, does]) => h("div", { class: "pair" }, h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)))),
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

export function bindKeys(pages, go) {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target.closest("input, select")) event.target.blur();
    if (isTyping(event.target)) return;
    if (isGoing) {
      isGoing = false;
      const page = pages.find(([, , , key]) => key === event.key);
      if (page) go(page[0]);
      return;
    }
    const does = {
      g: () => (isGoing = true),
      j: () => step(1),
      k: () => step(-1),
      "?": () => showKeys(pages),
      "/": () => document.querySelector("#main input[type=search]")?.focus(),
    }[event.key];
    if (does) {
      event.preventDefault();
      does();
    }
  });
}
