"""How many transitions a second become durable, and how much of that the bare engine could do.

    python bench/state.py [seconds] [writers] [ws://host:port user password]

Prints, from one run on a temporary folder: the closed loop (each of the writers waits for its
own fact), the open loop (facts are handed over at a constant rate), and the bare group commit
of the same rows without schema, journal and lease, with the ratio between them. With a server,
the same on a database of its own there.
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import anyio

from platform_nats.nkey import UserKey
from stratum_state.head import Signer
from stratum_state.ledger import Ledger, Stamp
from stratum_state.model import (
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    identity,
    run_id,
)
from stratum_state.surreal import SurrealStore, cbor, open_store, transport
from stratum_state.surreal.batch import Batch
from stratum_state.surreal.ticket import Write
from stratum_state.surreal.transport import Transport
from stratum_state.surreal.websocket import Server, connect

STEPS = 4
KEY = UserKey.generate()
LIVES = 12  # in one group of the bare commit
BARE = """
BEGIN;
INSERT INTO inbox $inbox RETURN NONE;
INSERT INTO run $run RETURN NONE;
INSERT INTO step $step RETURN NONE;
FOR $each IN $moved { UPDATE $each.id MERGE $each.m RETURN NONE };
COMMIT;
"""


def life(number: int) -> list[Fact]:
    """The facts of one run of some steps."""
    now = time.time_ns() // 1_000_000
    key = identity("UPUBLISHER", f"event-{number}", "bench")
    run = PipelineRun(
        id=run_id(now, key),
        identity=key,
        pipeline="bench",
        subject="events.bench",
        event_id=f"event-{number}",
        event_time=now,
        publisher="U" * 56,
        principal="ada",
        data='{"ref":"main"}',
        plan="sha256:" + "0" * 64,
        generation="sha256:" + "0" * 64,
        authorization='{"allowed":true,"policies":["policy0"]}',
        accepted=now,
    )
    begun = run.to(RunStatus.RUNNING, started=now)
    facts: list[Fact] = [run, begun]
    for stage in range(STEPS):
        step = StepRecord(run=run.id, node="noop", stage=stage, attempt=1, started=now)
        facts += [
            step,
            step.to(StepStatus.SUCCEEDED, ended=now, outputs='{"ok":true}', exit_code=0),
        ]
    return [*facts, begun.to(RunStatus.COMPLETED, ended=now)]


async def closed(store: SurrealStore, seconds: float, writers: int) -> list[float]:
    """Latencies, in seconds, of writers that wait for each fact."""
    numbers, waits = itertools.count(), list[float]()
    end = time.perf_counter() + seconds

    async def write() -> None:
        while time.perf_counter() < end:
            for fact in life(next(numbers)):
                began = time.perf_counter()
                await store.write([fact])
                waits.append(time.perf_counter() - began)

    async with anyio.create_task_group() as group:
        for _ in range(writers):
            group.start_soon(write)
    return waits


async def opened(store: SurrealStore, seconds: float, rate: int) -> list[float]:
    """Latencies, in seconds, when lives begin at a constant rate, whatever becomes of them."""
    numbers, waits = itertools.count(10**9), list[float]()
    began, size = time.perf_counter(), len(life(0))

    async def live(due: float) -> None:
        for fact in life(next(numbers)):
            await store.write([fact])
            now = time.perf_counter()
            waits.append(now - due)
            due = now

    async with anyio.create_task_group() as group:
        for started in range(int(seconds * rate / size)):
            due = began + started * size / rate
            await anyio.sleep(max(0.0, due - time.perf_counter()))
            group.start_soon(live, due)
    return waits


async def bare(engine: Transport, seconds: float) -> float:
    """Moves a second of the same rows, encoded before, without schema, journal and lease."""
    ledger, done, spent = Ledger(), 0, 0.0
    for number in itertools.count():
        batch = Batch(number, "bench")
        for each in range(number * LIVES, (number + 1) * LIVES):
            facts = life(each)
            write = Write(tuple(facts))
            write.judge(ledger, Stamp(number, 0))
            batch.add(write)
        params = {table: cbor.array(batch.rows[table]) for table in ("inbox", "run", "step")}
        began = time.perf_counter()
        await engine.call(BARE, {**params, "moved": cbor.array(batch.moved)})
        spent += time.perf_counter() - began
        done += len(batch.lines)
        if spent > seconds:
            break
    return done / spent


@dataclass(frozen=True)
class Place:
    """Where stores are made: below a folder, or on a server."""

    folder: Path
    url: str = ""
    user: str | None = None
    password: str | None = None

    def fresh(self, name: str) -> AbstractAsyncContextManager[SurrealStore]:
        """A store of its own."""
        return open_store(
            self.url or f"surrealkv://{self.folder / name}",
            instance="bench",
            namespace="bench",
            database=f"{name}-{time.time_ns()}",
            user=self.user,
            password=self.password,
            signer=Signer(KEY.public, "bench", KEY.sign),
        )

    def engine(self) -> AbstractAsyncContextManager[Transport]:
        """A connection without a store."""
        if not self.url:
            return transport.embedded(f"surrealkv://{self.folder / 'bare'}", "b", "b")
        return connect(
            Server(
                url=self.url,
                namespace="bench",
                database=f"bare-{time.time_ns()}",
                user=self.user,
                password=self.password,
            )
        )


def said(name: str, waits: list[float], seconds: float) -> float:
    rate = len(waits) / seconds
    cuts = statistics.quantiles(waits, n=100)
    p50, p99 = (f"{cuts[each] * 1e3:6.1f} ms" for each in (49, 98))
    print(f"{name:<24}{rate:8.0f} /s   p50 {p50}   p99 {p99}")
    return rate


async def main(seconds: float, writers: int, server: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), *server)
        async with place.fresh("closed") as store:
            began = time.perf_counter()
            waits = await closed(store, seconds, writers)
            rate = said(f"closed, {writers} writers", waits, time.perf_counter() - began)
        for offered in (1000, 3000, 5000):
            async with place.fresh(f"open-{offered}") as store:
                began = time.perf_counter()
                waits = await opened(store, seconds, offered)
                said(f"open, {offered} /s offered", waits, time.perf_counter() - began)
        async with place.engine() as engine:
            limit = await bare(engine, seconds)
        print(f"{'bare group commit':<24}{limit:8.0f} /s   ratio {rate / limit:.2f}")
    sys.stdout.flush()
    os._exit(0)  # the engine's threads do not like the interpreter's way out


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    writers = int(sys.argv[2]) if len(sys.argv) > 2 else 256
    anyio.run(main, seconds, writers, sys.argv[3:6])
