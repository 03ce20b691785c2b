"""Whole lives of runs, and a process that writes them until it is killed.

    python -m support.lives FOLDER NUMBER

says on its output which write of which life has become durable.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from stratum_state.model import Fact
from stratum_state.surreal import SurrealStore
from support import engines, records
from support.records import a_run, a_step, a_verdict

WRITERS = 48


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


async def write_until_killed(folder: Path, name: str) -> None:
    numbers = itertools.count()
    async with engines.in_folder(folder) as store, anyio.create_task_group() as group:
        for _ in range(WRITERS):
            group.start_soon(_write, store, name, numbers)


async def _write(store: SurrealStore, name: str, numbers: "itertools.count[int]") -> None:
    for number in numbers:
        event_id = f"{name}-{number}"
        for place, facts in enumerate(life(event_id)):
            await store.write(facts)
            os.write(1, f"{event_id} {place}\n".encode())


if __name__ == "__main__":
    anyio.run(write_until_killed, Path(sys.argv[1]), sys.argv[2])
