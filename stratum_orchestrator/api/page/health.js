// Whether all is well: checks, instances, and what is loaded.

import { get } from "/page/api.js";
import { ask } from "/page/commands.js";
import { command, copy, h, pair } from "/page/dom.js";
import { ago, count, moment, span, word } from "/page/words.js";

const check = (each) => h("li", { class: "check" }, h("span", { class: "state" }, word(each.ok ? "ok" : "not ok")), h("strong", {}, each.name), h("span", { class: "dim wrap" }, each.detail));

function finding(each) {
  const place = `${each.file ?? ""}${each.line ? `:${each.line}` : ""}`;
  return h("li", { class: "finding" }, word(each.severity), " ", h("code", {}, place), h("p", {}, each.message), each.hint ? h("p", { class: "dim" }, each.hint) : null);
}

function lane(each) {
  return h("tr", {}, h("td", {}, each.lane), h("td", {}, each.instance ?? "nobody", each.this ? h("span", { class: "dim" }, " (this one)") : ""), h("td", { class: "num" }, each.instance ? `${span(each.heard_ms)} ago` : "–"));
}

function version(each, done) {
  const offer = { name: "Bring into force", path: "/activate", line: `stratum activate ${each.digest}`, says: "New runs begin with it; runs under way end with what they have.", more: { wanted: each.digest } };
  return h("tr", {},
    h("td", {}, h("code", { class: "hash", title: each.digest }, each.digest.slice(0, 19)), " ", copy(each.digest)),
    h("td", {}, each.active ? word("in force") : each.live_runs ? count(each.live_runs, "live run") : ""),
    h("td", {}, each.activated ? `${ago(each.activated)} by ${each.by}` : ""),
    h("td", { class: "wrap" }, each.signer ?? (each.activated ? "trusted by digest" : "never in force")),
    h("td", { class: "num" }, each.active ? "" : h("button", { type: "button", onclick: () => ask(offer, done) }, offer.name)));
}

function bundles(versions, done) {
  if (!versions.length) return [];
  const offer = { name: "Roll back", path: "/rollback", line: "stratum rollback", says: "Bring back into force what was before. Runs under way end with what they have." };
  return [h("h2", {}, "Versions"),
    h("table", {}, h("thead", {}, h("tr", {}, ["Bundle", "State", "Came into force", "Signed by", ""].map((each) => h("th", {}, each)))), h("tbody", {}, versions.map((each) => version(each, done)))),
    versions.length > 1 ? h("div", { class: "actions" }, h("button", { type: "button", onclick: () => ask(offer, done) }, offer.name)) : ""];
}

export async function show({ root, signal, failed }) {
  document.title = "Health · Stratum";
  async function read() {
    if (root.contains(document.activeElement) && root.querySelector("button:focus")) return;
    try {
      const [status, { instances }, { pipelines }, { versions }] = await Promise.all([get("/status", {}, signal), get("/instances", {}, signal), get("/pipelines", {}, signal).catch(() => ({ pipelines: [] })), get("/versions", {}, signal).catch(() => ({ versions: [] }))]);
      const bad = status.checks.filter((each) => !each.ok);
      root.replaceChildren(
        h("h1", {}, bad.length ? `${count(bad.length, "check")} failed.` : "All checks hold."),
        h("ul", { class: "checks" }, status.checks.map(check)),
        h("h2", {}, "This instance"),
        h("dl", { class: "facts" }, pair("Name", status.instance), pair("Version", status.version), pair("Started", `${moment(status.started)} (${ago(status.started)})`), pair("Under way here", count(status.live_runs, "run")),
          pair("Generation", h("code", { class: "hash", title: status.generation ?? "" }, status.generation?.slice(0, 19) ?? "none"), " ", status.generation ? copy(status.generation) : "")),
        h("h2", {}, "Definitions"),
        status.diagnostics.length ? h("ul", { class: "findings" }, status.diagnostics.map(finding)) : h("p", {}, `${count(pipelines.length, "pipeline")}, and nothing to complain about.`),
        h("ul", { class: "pipelines" }, pipelines.map((each) => h("li", {}, h("a", { href: `/graph?pipeline=${encodeURIComponent(each.pipeline)}` }, each.pipeline), h("span", { class: "dim" }, ` ${count(each.nodes, "node")}, started by ${each.subjects.join(", ")}`)))),
        ...bundles(versions, read),
        h("h2", {}, "Who shares the database"),
        h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "Lane"), h("th", {}, "Instance"), h("th", { class: "num" }, "Last heard of"))), h("tbody", {}, instances.map(lane))),
        h("p", {}, "For programs: ", h("a", { href: "/readyz?verbose", target: "_blank" }, "readiness"), ", ", h("a", { href: "/metrics", target: "_blank" }, "metrics"), ". On the command line: ", command("stratum doctor")));
    } catch (error) {
      failed(error);
    }
  }
  await read();
  const timer = setInterval(read, 5000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
