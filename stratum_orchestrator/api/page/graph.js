// The graph of capabilities: who gives what, who needs it.

import { get } from "/page/api.js";
import { command, copy, empty, h, pair, s } from "/page/dom.js";
import { filters } from "/page/filters.js";
import { BOX, curve, depths, layout } from "/page/layout.js";
import { roving } from "/page/stages.js";
import { count } from "/page/words.js";

const cut = (text, letters = 24) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);

/** The nodes that belong to a pipeline: those that it triggers, and all that hang together. */
function within(graph, pipeline) {
  if (!pipeline) return new Set(graph.nodes.map((each) => each.name));
  const found = new Set(graph.nodes.filter((each) => each.trigger?.pipeline === pipeline).map((each) => each.name));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { from, to } of graph.edges) {
      if (found.has(from)) found.add(to);
      if (found.has(to)) found.add(from);
    }
  }
  return found;
}

function draw(root, nodes, edges, pick) {
  const placed = layout(depths(nodes.map((each) => each.name), edges), edges);
  const ways = edges.filter(({ from, to }) => placed.nodes.has(from) && placed.nodes.has(to));
  const boxes = nodes.map((node) => {
    const at = placed.nodes.get(node.name);
    return s("g", { class: `node ${node.trigger ? "busy" : "dim"} ${node.enabled ? "" : "off"}`, transform: `translate(${at.x} ${at.y})`, tabindex: "-1", role: "button", "data-node": node.name, "aria-label": node.name },
      s("title", {}, node.name), s("rect", { width: BOX.width, height: BOX.height, rx: 7, class: "box" }), s("rect", { width: 4, height: BOX.height - 14, y: 7, rx: 2, class: "side" }),
      s("text", { x: 14, y: 18, class: "name" }, cut(node.name)), s("text", { x: 14, y: 34, class: "said" }, cut(node.trigger ? `⚡ ${node.trigger.subjects.join(", ")}` : node.produces.join(", ") || "gives nothing", 28)));
  });
  const picture = s("svg", { class: "stages", width: placed.width, height: placed.height + 8, role: "group", "aria-label": "What feeds what, from left to right" },
    ...(ways.length > 600 ? [s("path", { class: "edge forth many", d: ways.map(({ from, to }) => curve(placed.nodes.get(from), placed.nodes.get(to))).join("") })]
      : ways.map(({ from, to, capability }) => s("path", { class: "edge forth", d: curve(placed.nodes.get(from), placed.nodes.get(to)) }, s("title", {}, capability)))),
    ...boxes);
  root.replaceChildren(picture);
  roving(picture, (name) => pick(nodes.find((each) => each.name === name)));
}

function describe(root, node, go) {
  root.replaceChildren(h("h3", {}, node.name), h("p", { class: "dim" }, node.description),
    h("dl", { class: "facts" },
      node.trigger ? pair("Starts", h("strong", {}, node.trigger.pipeline), ` on ${node.trigger.subjects.join(", ")}`) : null,
      pair("Needs", node.consumes.join(", ") || "the event alone"), pair("Gives", node.produces.join(", ") || "nothing"),
      pair("Effect", node.effect), pair("Compensation", node.compensated ? "declared" : "none"),
      pair("Version", node.version), pair("File", h("code", { class: "wrap" }, node.file)),
      pair("Content", h("code", { class: "hash", title: node.tree }, node.tree.slice(0, 19)), " ", copy(node.tree)), node.enabled ? null : pair("Enabled", "no")),
    node.trigger ? command(`stratum explain ${node.trigger.subjects[0]}`) : "");
}

/** What is wrong with a change that is not in force. */
function trouble(reload) {
  if (!reload?.why) return "";
  const errors = reload.diagnostics.filter((each) => each.severity === "error");
  return h("div", { class: "card notice" }, h("strong", {}, "The latest change is not in force; this is what was before. "), reload.why,
    errors.map((each) => h("p", {}, h("code", { class: "wrap" }, `${each.file}${each.line ? `:${each.line}` : ""}`), ` ${each.message}`)));
}

const names = (all, pick) => all.flatMap((name, n) => [n ? ", " : "", h("button", { type: "button", class: "word-button", onclick: () => pick(name) }, name)]);

export async function show({ root, query, signal, go, failed }) {
  document.title = "Graph · Stratum";
  const [graph, status] = await Promise.all([get("/graph", {}, signal), get("/status", {}, signal).catch(() => ({}))]);
  const bar = filters([
    { name: "text", label: "Find", hint: "a node or a capability" },
    { name: "pipeline", label: "Pipeline", choices: [["", "all"], ...graph.pipelines.map((each) => [each, each])] },
  ], query, go);
  const member = within(graph, query.get("pipeline"));
  const text = (query.get("text") ?? "").toLowerCase();
  const said = (node) => [node.name, ...node.produces, ...node.consumes, node.description].join("\n").toLowerCase();
  const nodes = graph.nodes.filter((each) => member.has(each.name) && said(each).includes(text));
  const panel = h("aside", { class: "panel", "aria-live": "polite" }, h("p", { class: "dim" }, "Choose a node to see what it is."));
  const picture = h("div", { class: "scroll", tabindex: "0" });
  const pick = (node) => {
    for (const each of picture.querySelectorAll(".chosen")) each.classList.remove("chosen");
    picture.querySelector(`[data-node="${CSS.escape(node.name)}"]`)?.classList.add("chosen");
    describe(panel, node);
  };
  const byName = (name) => pick(graph.nodes.find((each) => each.name === name));
  const capabilities = [...new Set(nodes.flatMap((each) => [...each.produces, ...each.consumes]))].sort();
  root.append(h("h1", {}, "Graph"), h("p", { class: "lead" }, `${count(nodes.length, "node")}, ordered by what they need of each other. `, h("span", { class: "dim" }, "⚡ is started by an event.")), bar,
    trouble(status.reload),
    h("div", { class: "split graph" }, picture, panel),
    h("h2", {}, "Capabilities"),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "Capability"), h("th", {}, "Given by"), h("th", {}, "Version"), h("th", {}, "Needed by"))),
      h("tbody", {}, capabilities.map((each) => h("tr", {}, h("td", {}, each),
        h("td", {}, names(graph.nodes.filter((node) => node.produces.includes(each)).map((node) => node.name), byName)),
        h("td", { class: "dim" }, graph.nodes.filter((node) => node.produces.includes(each)).map((node) => node.version).join(", ")),
        h("td", {}, names(graph.nodes.filter((node) => node.consumes.includes(each)).map((node) => node.name), byName)))))));
  if (nodes.length) draw(picture, nodes, graph.edges, pick);
  else picture.replaceChildren(empty("No node is like that."));
}
