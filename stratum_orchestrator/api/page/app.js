// The frame: which view an address shows, who is let in, and the keys.

import * as api from "/page/api.js";
import { h } from "/page/dom.js";
import { bindKeys, showKeys } from "/page/keys.js";
import { bindTheme } from "/page/theme.js";

const PAGES = [
  ["/", "Overview", "overview", "o"],
  ["/runs", "Runs", "runs", "r"],
  ["/events", "Events", "events", "e"],
  ["/pipelines", "Pipelines", "pipelines", "p"],
  ["/graph", "Graph", "graph", "g"],
  ["/versions", "Versions", "versions", "v"],
  ["/health", "Health", "health", "h"],
];
const main = document.getElementById("main");
const link = document.getElementById("link");
let leaving = new AbortController();

function view(path) {
  const run = path.match(/^\/runs\/([0-9a-f]+)$/);
  if (run) return ["run", run[1], "/runs"];
  const page = PAGES.find(([at]) => at === path);
  return page ? [page[2], null, page[0]] : [null, null, null];
}

function drawNav(current) {
  const links = PAGES.map(([href, name]) => h("a", { href, "aria-current": href === current ? "page" : null }, name));
  document.getElementById("nav").replaceChildren(...links);
  links.find((each) => each.hasAttribute("aria-current"))?.scrollIntoView({ block: "nearest", inline: "center" });
}

function linked(isUp) {
  link.className = `link ${isUp ? "up" : "down"}`;
  link.textContent = isUp ? "live" : "not connected";
}

/** Go to an address of ours. */
export function go(address, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  return show();
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [name, argument, current] = view(location.pathname);
  drawNav(current);
  link.textContent = "";
  link.className = "link";
  if (!api.hasToken()) return showDoor("");
  const root = h("div", { class: "view" });
  if (name === null) {
    root.append(h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "/" }, "To the overview")));
    return main.replaceChildren(root);
  }
  try {
    const module = await import(`/page/${name}.js`);
    if (signal.aborted) return;
    window.scrollTo(0, 0);
    main.replaceChildren(root);
    const query = new URLSearchParams(location.search);
    await module.show({ root, argument, query, signal, go, linked, failed: (error) => failed(root, error, signal) });
  } catch (error) {
    failed(root, error, signal);
  }
}

function failed(root, error, signal) {
  if (signal.aborted || error.name === "AbortError") return;
  if (error.status === 401) {
    api.keepToken("");
    return showDoor("The daemon does not know that token.");
  }
  let box = root.querySelector(":scope > .problem");
  if (!box) root.prepend((box = h("div", { class: "problem", role: "alert" })));
  box.replaceChildren(h("strong", {}, error.message), h("p", {}, error.remedy ?? ""));
  if (error.status === 0 || error.status === 503) setTimeout(() => signal.aborted || show(), 3000);
}

function showDoor(why) {
  document.title = "Stratum";
  const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const form = h("form", {
    class: "door",
    onsubmit(event) {
      event.preventDefault();
      api.keepToken(field.value);
      show();
    },
  },
  h("h1", {}, "Who is asking?"),
  h("p", {}, "Open the link that ", h("code", {}, "stratum ui"), " prints, or paste the token from ", h("code", {}, ".stratum/run/token"), "."),
  h("label", { for: "token" }, "Token"), field,
  h("button", { class: "primary", type: "submit" }, "Let me in"),
  h("p", { class: "error", role: "alert" }, why));
  main.replaceChildren(form);
  field.focus();
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href^='/']");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
});
window.addEventListener("popstate", show);
window.addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) {
    api.tokenFromAddress();
    show();
  }
});
document.getElementById("keys").addEventListener("click", () => showKeys(PAGES));
bindTheme(document.getElementById("theme"));
bindKeys(PAGES, go);
api.tokenFromAddress();
show();
