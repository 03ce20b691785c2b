// Runs as rows of a list.

import { h } from "/page/dom.js";
import { isOver, runWord, short, span, time, took } from "/page/words.js";

/** One run: a link with its state, what it is, what it came to, and when. */
export function runRow(run) {
  const why = run.attention?.reason ?? run.cause ?? "";
  return h("a", { class: "row run", href: `/runs/${run.run}` },
    h("span", { class: "state" }, runWord(run)),
    h("span", { class: "what" }, h("strong", {}, run.pipeline), " ", h("span", { class: "dim" }, run.subject)),
    h("span", { class: "why", title: why }, why),
    h("span", { class: "long num" }, isOver(run) ? span(took(run)) : ""),
    h("span", { class: "when num" }, time(run.accepted)),
    h("code", { class: "id" }, short(run.run)));
}
