"""Whole lives of runs, whoever writes them, and a process that does until it is killed.

    python -m support.lives URL DATABASE NAME TTL_S

says on its output which write of which life has become durable, and at last why it ended.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path

import anyio
import anyio.abc

from stratum_state import journal
from stratum_state.errors import StateError
from stratum_state.model import Fact, Trail, VerdictRecord
from stratum_state.surreal import SurrealStore, open_store
from support import records
from support.bridge import PASSWORD, USER
from support.records import a_run, a_step, a_verdict

WRITERS = 48
_TESTS = Path(__file__).parents[1]

Told = Callable[[str, int], None]
"""Hears of an event and the number of its write that has become durable."""


def life(event_id: str) -> Sequence[Sequence[Fact]]:
    """The writes of one run; the facts of each belong together."""
    run = a_run(event_id)
    writer, number = map(int, event_id.split("-"))
    left, right = a_step(run, "left"), a_step(run, "right")
    outputs = '"' + event_id * 40 + '"'
    return [
        [run, a_verdict(run, sequence=writer * 1_000_000 + number)],
        [records.running(run), left, right],
        [records.succeeded(left, outputs), records.succeeded(right, outputs)],
        [records.completed(records.running(run))],
    ]


async def write(store: SurrealStore, name: str, told: Told, writers: int = WRITERS) -> None:
    """Write one life after the other, some of them side by side, for ever."""
    numbers = itertools.count()

    async def live() -> None:
        for number in numbers:
            event_id = f"{name}-{number}"
            for place, facts in enumerate(life(event_id)):
                await store.write(facts)
                told(event_id, place)

    async with anyio.create_task_group() as group:
        for _ in range(writers):
            group.start_soon(live)


async def is_there(store: SurrealStore, event_id: str, *, at_least: int) -> None:
    """The run's record ends with a whole write, not before the one that was acknowledged."""
    writes = life(event_id)
    facts = [fact for write in writes for fact in write if _of_the_run(fact)]
    lines = await store.journal(a_run(event_id).id)
    journal.verify(lines)
    ends = [*accumulate(sum(map(_of_the_run, write)) for write in writes)]
    assert len(lines) in ends, event_id
    assert ends.index(len(lines)) >= at_least, event_id

    verdict = writes[0][1]
    assert isinstance(verdict, VerdictRecord)
    assert await store.verdict(verdict.id) == verdict
    trail = await store.trail(a_run(event_id).id)
    assert trail is not None
    latest = {(type(each), getattr(each, "node", "")): each for each in facts[: len(lines)]}
    assert {*latest.values()} == {trail.run, *trail.steps}


async def complete(store: SurrealStore, trail: Trail) -> None:
    """Live the rest of a life that was left unfinished."""
    done = len(await store.journal(trail.run.id))
    for facts in life(trail.run.event_id):
        done -= sum(map(_of_the_run, facts))
        if done < 0:
            await store.write(facts)


def _of_the_run(fact: Fact) -> bool:
    return not isinstance(fact, VerdictRecord)


class Writer:
    """A process that writes lives, and what it has said so far."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self.process = process
        self.acknowledged: dict[str, int] = {}
        """Event to the last of its writes that became durable."""
        self.writes = 0
        self.end = ""
        """Why it ended, in its own words."""

    async def listen(self) -> None:
        """Return when it says nothing more."""
        assert self.process.stdout is not None
        said = b""
        async for part in self.process.stdout:
            *lines, said = (said + part).split(b"\n")
            for line in lines:
                self._hear(line.decode())

    def _hear(self, line: str) -> None:
        word, rest = line.split(" ", maxsplit=1)
        if word == "end":
            self.end = rest
        else:
            self.acknowledged[word] = int(rest)
            self.writes += 1


@asynccontextmanager
async def a_writer(
    url: str, database: str, name: str, ttl_s: float = 15
) -> AsyncIterator[Writer]:
    """A process of its own; killed on leaving, at the latest."""
    command = [sys.executable, "-m", "support.lives", url, database, name, str(ttl_s)]
    paths = os.pathsep.join((str(_TESTS), str(_TESTS.parent)))
    process = await anyio.open_process(
        command, stderr=subprocess.DEVNULL, env={"PYTHONPATH": paths}
    )
    async with process, anyio.create_task_group() as group:
        writer = Writer(process)
        group.start_soon(writer.listen)
        try:
            yield writer
        finally:
            if process.returncode is None:
                process.kill()


async def _main(url: str, database: str, name: str, ttl_s: float) -> None:
    def tell(event_id: str, place: int) -> None:
        os.write(1, f"{event_id} {place}\n".encode())

    async with open_store(
        url,
        instance=name,
        namespace="test",
        database=database,
        ttl_s=ttl_s,
        user=USER,
        password=PASSWORD,
    ) as store:
        try:
            await write(store, name, tell)
        except* StateError as group:
            os.write(1, f"end {type(group.exceptions[0]).__name__}\n".encode())
            os._exit(1)


if __name__ == "__main__":
    anyio.run(_main, *sys.argv[1:4], float(sys.argv[4]))
