// A bar of filters that lives in the address, so that it can be shared and gone back to.

import { h } from "/page/dom.js";

/** Filters `[{name, label, choices} or {name, label, hint}]`; calls `changed(params)`. */
export function filters(given, query, go) {
  const path = location.pathname;
  const fields = given.map(({ name, label, choices, hint }) => {
    const value = query.get(name) ?? "";
    const field = choices
      ? h("select", { id: `f-${name}`, name }, choices.map(([option, text]) => h("option", { value: option, selected: option === value }, text)))
      : h("input", { id: `f-${name}`, name, type: "search", placeholder: hint, value, autocomplete: "off", spellcheck: "false", maxlength: 200 });
    return h("div", { class: `field ${choices ? "" : "wide"}` }, h("label", { for: `f-${name}` }, label), field);
  });
  const apply = () => {
    const params = new URLSearchParams();
    for (const { name } of given) {
      const value = bar.elements[name].value.trim();
      if (value) params.set(name, value);
    }
    const said = params.toString();
    go(said ? `${path}?${said}` : path);
  };
  const bar = h("form", { class: "filters", role: "search", onchange: apply, onsubmit: (event) => (event.preventDefault(), apply()) }, fields);
  return bar;
}

/** The links to the first and the next page of a list. */
export function pager(query, next) {
  const to = (after) => {
    const params = new URLSearchParams(query);
    if (after) params.set("after", after);
    else params.delete("after");
    const said = params.toString();
    return said ? `${location.pathname}?${said}` : location.pathname;
  };
  return h("nav", { class: "pager", "aria-label": "Pages of the list" },
    query.get("after") ? h("a", { href: to(null) }, "To the newest") : h("span", {}),
    next ? h("a", { href: to(next), rel: "next" }, "Older") : h("span", { class: "dim" }, "No older ones"));
}
