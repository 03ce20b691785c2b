// What differs between two versions, file by file and line by line.

import { get } from "/page/api.js";
import { empty, h } from "/page/dom.js";
import { count, word } from "/page/words.js";

const OPEN = 200; // lines that are shown without being asked for

const tone = (line) => (line.startsWith("@@") ? "place" : line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : "");

function patch(lines) {
  // the first two name the file, which stands above already
  return h("pre", { class: "patch", tabindex: "0" }, lines.slice(2).map((line) => h("span", { class: tone(line) }, line)));
}

function file(change, isOpen) {
  const lines = change.lines.filter((line) => /^[+-]/.test(line)).slice(2);
  const more = lines.filter((line) => line.startsWith("+")).length;
  return h("details", { class: "file", open: isOpen },
    h("summary", { class: "row" }, h("code", { class: "wrap" }, change.file), word(change.change),
      h("span", { class: "num" }, h("span", { class: "good" }, `+${more}`), " ", h("span", { class: "bad" }, `−${lines.length - more}`))),
    change.lines.length ? patch(change.lines) : h("p", { class: "dim" }, "It is no text."),
    change.cut ? h("p", { class: "dim" }, "There is more: stratum diff --content shows all of it.") : null);
}

/** Show into root what leads from the one digest to the other. */
export async function difference(root, from, to, signal) {
  const { changes } = await get("/versions/difference", { from, to }, signal);
  let shown = 0;
  const files = changes.map((each) => {
    shown += each.lines.length;
    return file(each, shown <= OPEN);
  });
  root.replaceChildren(
    h("p", { class: "lead" }, changes.length ? `${count(changes.length, "file differs", "files differ")}.` : ""),
    changes.length ? h("div", { class: "list files" }, files) : empty("Nothing differs.", "Both versions hold the same files."));
}
