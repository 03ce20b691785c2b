"""How soon a page of runs is there when very many are on record.

    python bench/listing.py [runs] [asks]

Fills an embedded store in a temporary folder, serves the API over it, and prints for each
question the median and the slowest time of an answer over HTTP, in milliseconds.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from stratum_state.model import Compensation, Fact, PipelineRun, RunStatus, identity, run_id
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore, open_store

AT_ONCE = 500
QUESTIONS = {
    "the first page": RunFilter(),
    "that are live": RunFilter(live=True),
    "of a pipeline": RunFilter(pipeline="pipeline-3"),
    "that completed": RunFilter(status=RunStatus.COMPLETED),
    "of the last hour": RunFilter(since=time.time_ns() // 1_000_000 - 3_600_000),
    "a text that all have": RunFilter(text="events.bench"),
    "a text that one has": RunFilter(text="event-7"),
    "a text that none has": RunFilter(text="nowhere"),
}


def life(number: int, at: int) -> Sequence[Fact]:
    """The facts of one run: nine of ten complete, some are compensated, few are live."""
    pipeline = f"pipeline-{number % 10}"
    key = identity("UPUBLISHER", f"event-{number}", pipeline)
    run = PipelineRun(
        id=run_id(at, key),
        identity=key,
        pipeline=pipeline,
        subject=f"events.bench.{number % 100}",
        event_id=f"event-{number}",
        event_time=at,
        publisher="U" * 56,
        principal="ada",
        data='{"ref":"main"}',
        plan="sha256:" + "0" * 64,
        generation="sha256:" + "0" * 64,
        authorization='{"allowed":true,"policies":["policy0"]}',
        accepted=at,
    )
    begun = run.to(RunStatus.RUNNING, started=at)
    if number % 1000 == 1:
        return [run, begun]
    if number % 10:
        return [run, begun, begun.to(RunStatus.COMPLETED, ended=at + 900)]
    back = begun.to(RunStatus.COMPENSATING, cause="noop failed: exit code 1")
    how = Compensation.CLEAN
    return [run, begun, back, back.to(RunStatus.COMPENSATED, ended=at, compensation=how)]


async def fill(store: SurrealStore, runs: int) -> None:
    """So many runs, one every 100 ms until now."""
    now = time.time_ns() // 1_000_000
    for start in range(0, runs, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, runs))
        lives = [life(each, now - (runs - each) * 100) for each in numbers]
        for moves in itertools.zip_longest(*lives):
            await store.write([fact for fact in moves if fact is not None])


async def main(runs: int, asks: int) -> None:
    """Fill, ask, print."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"surrealkv://{Path(folder) / 'db'}"
        opening = open_store(url, instance="bench", namespace="bench", database="bench")
        async with opening as store:
            began = time.perf_counter()
            await fill(store, runs)
            print(
                f"{runs} runs on record after {time.perf_counter() - began:.0f} s", flush=True
            )
            for name, wanted in QUESTIONS.items():
                took = []
                for _ in range(asks):
                    began = time.perf_counter()
                    found = await store.runs(wanted, after=None, limit=51)
                    took.append((time.perf_counter() - began) * 1000)
                print(
                    f"{name:<22} {len(found):>3} found   p50 {statistics.median(took):8.1f} ms"
                    f"   max {max(took):8.1f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    given = [*map(int, sys.argv[1:]), *(100_000, 20)[len(sys.argv) - 1 :]]
    anyio.run(main, *given)
