"""How long the page takes for large things, in a real headless Chromium.

    python bench/page.py [rounds]

Prints medians in milliseconds: the layout of 1,000 nodes in 20 stages, two edges to each, their
first drawing, a change of one of them; and of a list of 10,000 runs how long a page takes, and
one of its runs that has moved.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import browser
from support.browser import Tab, browsing
from support.desk import served

_PICTURE = """(async () => {
  const {stages} = await import('/page/stages.js');
  const {layout} = await import('/page/layout.js');
  const names = Array.from({length: 20}, (_, s) =>
    Array.from({length: 50}, (_, n) => `node-${s}-${n}`));
  const edges = names.slice(1).flatMap((all, s) => all.flatMap((to, n) =>
    [names[s][n], names[s][(n * 7) % 50]].map((from) => ({from, to}))));
  const told = {};
  const timed = (what, work) => {
    const began = performance.now();
    const came = work();
    told[what] = performance.now() - began;
    return came;
  };
  timed('layout of 1,000 nodes', () => layout(names, edges));
  const root = document.createElement('div');
  document.querySelector('#main').replaceChildren(root);
  const plan = {stages: names, edges, nodes: []};
  const run = {status: 'running', steps: [], compensations: []};
  const picture = timed('first drawing of them', () => {
    const drawn = stages(root, plan, () => null);
    drawn.update(run);
    root.getBoundingClientRect();
    return drawn;
  });
  const started = new Date().toISOString();
  const step = {node: 'node-3-7', attempt: 1, status: 'started', started};
  timed('a change of one of them', () => {
    picture.update({...run, steps: [step]});
    root.getBoundingClientRect();
  });
  return told;
})()"""

_LIST = """(async () => {
  const {keyed, h} = await import('/page/dom.js');
  const {runRow} = await import('/page/rows.js');
  const runs = Array.from({length: 10000}, (_, n) => ({
    run: String(8204090000000 + n) + '0123456789ab', pipeline: `pipeline-${n % 7}`,
    status: 'completed', subject: `events.bench.${n}`, accepted: '2026-01-31T12:34:56.789Z',
    started: '2026-01-31T12:34:56.789Z', ended: '2026-01-31T12:34:57.789Z', cause: null}));
  const root = h('div', {class: 'list'});
  document.querySelector('#main').replaceChildren(root);
  const told = {};
  const timed = (what, work) => {
    const began = performance.now();
    work();
    root.getBoundingClientRect();
    told[what] = performance.now() - began;
  };
  const page = (from, size) => runs.slice(from, from + size);
  timed('a page of 50 of 10,000 runs', () => keyed(root, page(0, 50), (x) => x.run, runRow));
  timed('the page behind it', () => keyed(root, page(50, 50), (x) => x.run, runRow));
  const moved = [{...runs[50], status: 'running'}, ...page(51, 49)];
  timed('one of them has moved', () => keyed(root, moved, (x) => x.run, runRow));
  return told;
})()"""


async def main(rounds: int) -> None:
    """Open the page, ask, print."""
    if browser.PROGRAM is None:
        raise SystemExit(browser.WITHOUT)
    with tempfile.TemporaryDirectory() as folder:
        async with served() as api, browsing(Path(folder)) as tab:
            await tab.resize(1360, 900)
            await tab.open(f"{api.url}/")
            await tab.until("document.querySelector('#main').children.length > 0")
            for script in (_PICTURE, _LIST):
                await show(tab, script, rounds)


async def show(tab: Tab, script: str, rounds: int) -> None:
    """The medians of so many times."""
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        told = await tab.ask(script)
        if not isinstance(told, dict):
            raise SystemExit(str(told))
        for name, took in told.items():
            times.setdefault(name, []).append(float(took))
    for name, took in times.items():
        print(f"{name:<28} p50 {statistics.median(took):8.1f} ms   max {max(took):8.1f} ms")


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 9)
