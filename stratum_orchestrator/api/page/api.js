// The daemon's API: questions, commands, and what it tells by itself.

const KEPT = "stratum-token";
let token = sessionStorage.getItem(KEPT) ?? "";

/** An answer that is an error, with what helps. */
export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || `The daemon answered ${status}.`);
    this.status = status;
    this.code = told.code ?? "";
    this.remedy = told.remedy ?? "";
  }
}

export const hasToken = () => token !== "";

/** Keep the token for as long as this tab lives. */
export function keepToken(given) {
  token = given.trim();
  if (token) sessionStorage.setItem(KEPT, token);
  else sessionStorage.removeItem(KEPT);
}

/** Take the token out of the address, where a printed link has it. */
export function tokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  keepToken(given);
  history.replaceState(null, "", location.pathname + location.search);
}

async function ask(method, path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/json", ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: options.body, signal: options.signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "away", detail: "The daemon does not answer.", remedy: "Is it running? This page goes on by itself once it is." });
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

/** Ask; parameters that are empty are left out. */
export function get(path, params = {}, signal = undefined) {
  const given = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return ask("GET", `/api/v1${path}${query ? `?${query}` : ""}`, { signal });
}

/** Have something done. The same command said twice, by a double click, is done once. */
export function post(path, told) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  return ask("POST", `/api/v1${path}`, { headers, body: JSON.stringify(told) });
}

/** A run's path in the API. */
export const runPath = (run, rest = "") => `/runs/${encodeURIComponent(run)}${rest}`;

/**
 * Listen until the signal is aborted; comes back by itself and goes on where it was.
 * `heard(kind, data)` is called for each event, `linked(isUp)` when the connection changes.
 */
export async function listen(run, signal, heard, linked) {
  let last = null;
  let wait = 500;
  while (!signal.aborted) {
    try {
      const headers = { Authorization: `Bearer ${token}`, ...(last ? { "Last-Event-ID": last } : {}) };
      const answer = await fetch(`/api/v1/events${run ? `?run=${run}` : ""}`, { headers, signal, cache: "no-store" });
      if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
      wait = 500;
      linked(true);
      for await (const said of events(answer.body)) {
        last = said.id ?? last;
        heard(said.event, JSON.parse(said.data));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) return linked(false);
    }
    linked(false);
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 10000);
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const said = {};
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) said[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (said.data) yield said;
    }
  }
}
