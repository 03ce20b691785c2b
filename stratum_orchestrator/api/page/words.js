// How states, times and ids are said. A state's word always stands beside its sign and color.

import { h } from "/page/dom.js";

const MARKS = {
  accepted: ["○", "busy"], running: ["●", "busy"], started: ["●", "busy"], suspended: ["◐", "warn"],
  completed: ["✔", "good"], succeeded: ["✔", "good"], done: ["↩", "undo"],
  compensating: ["↩", "undo"], compensated: ["↩", "undo"], clean: ["↩", "undo"], partial: ["✖", "bad"],
  failed: ["✖", "bad"], "timed-out": ["✖", "bad"], abandoned: ["✖", "bad"], refused: ["✖", "bad"],
  cancelled: ["■", "warn"], lost: ["■", "warn"], waived: ["■", "warn"],
  asked: ["?", "warn"], open: ["?", "warn"], approved: ["✔", "good"], rejected: ["✖", "bad"], withdrawn: ["◌", "dim"],
  skipped: ["◌", "dim"], waiting: ["·", "dim"], "not reached": ["·", "dim"],
  requested: ["○", "busy"], issued: ["●", "busy"], revoked: ["✔", "good"], expired: ["■", "warn"], void: ["◌", "dim"],
  duplicate: ["=", "dim"], "no-pipeline": ["∅", "warn"],
  active: ["✔", "good"], paused: ["◐", "warn"], disabled: ["■", "bad"],
  added: ["+", "good"], removed: ["−", "bad"], changed: ["~", "busy"],
  configured: ["○", "dim"], activated: ["✔", "good"], "rolled-back": ["↩", "undo"],
  ok: ["✔", "good"], look: ["!", "warn"], silent: ["✖", "bad"], alive: ["✔", "good"], "in force": ["✔", "good"], "not ok": ["✖", "bad"], error: ["✖", "bad"], warning: ["!", "warn"],
};

/** The sign and the tone of a state. */
export const mark = (status) => MARKS[status] ?? ["?", "warn"];

/** A state: sign, color and word. */
export const word = (status) => said(status, status);

function said(status, text) {
  const [sign, tone] = mark(status);
  return h("span", { class: `word ${tone}` }, h("span", { class: "sign", "aria-hidden": "true" }, sign), text);
}

/** A run's state, with how well it was undone. */
export function runWord(run) {
  if (run.compensation !== "partial") return word(run.status);
  return said(run.waived ? "waived" : "partial", run.waived ? "compensated, waived" : "compensated in part");
}

/** Whether a run has ended. */
export const isOver = (run) => ["completed", "compensated", "abandoned"].includes(run.status);

/** A duration, short. */
export function span(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** How long something took, or takes already. */
export const took = (of, now = Date.now()) => {
  const began = Date.parse(of.started ?? of.accepted ?? "");
  return Number.isNaN(began) ? null : (of.ended ? Date.parse(of.ended) : now) - began;
};

/** How long ago, roughly. */
export function ago(iso, now = Date.now()) {
  if (!iso) return "";
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

const two = (n) => String(n).padStart(2, "0");

/** A moment in local time, to the second. */
export function moment(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(iso)}`;
}

/** The time of day, local. */
export function clock(iso, ms = false) {
  const at = new Date(iso);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${ms ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : ""}`;
}

/** A time that says how long ago, and when exactly if asked. */
export const time = (iso) => h("time", { datetime: iso, title: moment(iso) }, ago(iso));

/** The part of a run's id that people use. */
export const short = (run) => run.slice(13);

/** One of them, or several. */
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
