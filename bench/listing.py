"""How soon a page of runs is there when very many are on record.

    python bench/listing.py [runs] [asks]

Fills an embedded store in a temporary folder, serves the API over it, and prints for each
question the median and the slowest time in milliseconds: of the store by itself, and of the API
with its policies, over HTTP.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.home import token_digest
from stratum_orchestrator.reception import Receptionist
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state.model import Compensation, Fact, PipelineRun, RunStatus, identity, run_id
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore, open_store
from support.desk import TOKEN, FixedClock, Served, served, unrecorded
from support.graph import node
from support.people import Law

AT_ONCE = 500
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
QUESTIONS = {
    "the first page": (RunFilter(), ""),
    "that are live": (RunFilter(live=True), "live=true"),
    "of a pipeline": (RunFilter(pipeline="pipeline-3"), "pipeline=pipeline-3"),
    "that completed": (RunFilter(status=RunStatus.COMPLETED), "status=completed"),
    "of the last hour": (
        RunFilter(since=int(HOUR_AGO.timestamp() * 1000)),
        f"since={HOUR_AGO:%Y-%m-%dT%H:%M:%SZ}",
    ),
    "a text that all have": (RunFilter(text="events.bench"), "text=events.bench"),
    "a text that one has": (RunFilter(text="event-7"), "text=event-7"),
    "a text that none has": (RunFilter(text="nowhere"), "text=nowhere"),
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
        async with opening as store, served(reception=reception(Path(folder))) as api:
            began = time.perf_counter()
            await fill(store, runs)
            print(
                f"{runs} runs on record after {time.perf_counter() - began:.0f} s", flush=True
            )
            await compare(store, api, asks)


def reception(folder: Path) -> Receptionist:
    """An operator's token before the shipped policies."""
    law = Law()
    generation = law_graph()
    rules = Rules(generation=generation, principals=law.principals, authorizer=law.authorizer)
    return Receptionist(
        home_digest=token_digest(TOKEN),
        operator=Principal(key="UOPERATOR", name="operator", groups=("operators",)),
        tokens=Access.at(folder / "access").tokens,
        rules=lambda: rules,
        rulings=Rulings(unrecorded, FixedClock()),
        clock=FixedClock(),
    )


def law_graph() -> Generation:
    found = compile_graph([node("lint", gives="linted", on="events.push")]).generation
    if found is None:
        raise SystemExit(1)
    return found


async def compare(store: SurrealStore, api: Served, asks: int) -> None:
    """The store by itself, then the API in front of it."""
    api.desk.store = store  # type: ignore[assignment]
    for name, (wanted, query) in QUESTIONS.items():

        async def read(wanted: RunFilter = wanted) -> None:
            await store.runs(wanted, after=None, limit=51)

        async def get(query: str = query) -> None:
            answer = await api.get(f"/api/v1/runs?{query}")
            if answer.status != 200:
                raise SystemExit(answer.text)

        print(
            f"{name:<22} store {await timed(read, asks)}   http {await timed(get, asks)}",
            flush=True,
        )


async def timed(do: Callable[[], Awaitable[None]], asks: int) -> str:
    """Median and slowest of so many times, and the processor time of one."""
    took = []
    used = time.process_time()
    for _ in range(asks):
        began = time.perf_counter()
        await do()
        took.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - used) * 1000 / asks
    return f"p50 {statistics.median(took):7.1f} max {max(took):7.1f} cpu {cpu:6.1f} ms"


if __name__ == "__main__":
    given = [*map(int, sys.argv[1:]), *(100_000, 20)[len(sys.argv) - 1 :]]
    anyio.run(main, *given)
