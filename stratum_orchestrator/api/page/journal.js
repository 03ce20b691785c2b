// A run's journal, and its chain verified here, by the browser itself.

import { get, runPath } from "/page/api.js";
import { h } from "/page/dom.js";
import { clock, count } from "/page/words.js";

const ORIGIN = "0".repeat(64);

async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The number of the first entry that does not fit; null when all do. */
export async function broken(lines) {
  let before = ORIGIN;
  for (const [index, line] of lines.entries()) {
    let body;
    try {
      body = JSON.parse(line.body);
    } catch {
      return index + 1;
    }
    const fits = body.prev === before && body.n === index + 1 && line.n === index + 1 && body.kind === line.kind;
    if (!fits || (await sha256(line.body)) !== line.hash) return index + 1;
    before = line.hash;
  }
  return null;
}

function entry(line) {
  const body = JSON.parse(line.body);
  const where = body.node ? `${body.node}${body.attempt > 1 ? ` #${body.attempt}` : ""}` : "";
  return h("details", { class: "entry" },
    h("summary", {},
      h("span", { class: "n" }, line.n), h("span", { class: "at" }, clock(line.at, true)),
      h("span", { class: "kind" }, line.kind), h("span", { class: "of" }, where),
      h("code", { class: "hash", title: line.hash }, line.hash.slice(0, 12))),
    h("pre", { class: "json", tabindex: "0" }, JSON.stringify(body, null, 2)));
}

const STEP = 200;

/** Read it, verify it, show it. */
export async function journal(root, run, signal) {
  const { journal: lines } = await get(runPath(run, "/journal"), {}, signal);
  const bad = crypto.subtle ? await broken(lines) : undefined;
  const said = bad === undefined
    ? h("p", { class: "chain warn" }, "! This browser verifies chains only over HTTPS or on the loopback.")
    : bad === null
      ? h("p", { class: "chain good" }, `✔ ${count(lines.length, "entry", "entries")}, the chain is unbroken: every hash was computed anew in this browser.`)
      : h("p", { class: "chain bad" }, `✖ The chain breaks at entry ${bad}: it, or one before it, was altered.`);
  const list = h("div", { class: "journal" });
  const more = h("button", { type: "button", class: "more", onclick: () => grow() });
  let shown = 0;
  const grow = () => {
    list.append(...lines.slice(shown, shown + STEP).map(entry));
    shown = Math.min(lines.length, shown + STEP);
    more.textContent = `Show ${Math.min(STEP, lines.length - shown)} more of ${lines.length}`;
    more.hidden = shown >= lines.length;
  };
  grow();
  root.replaceChildren(said, list, more);
}
