"""Killing a writer under load: what was acknowledged is there, nothing is there by half."""

import os
import random
import signal
import sys
from itertools import accumulate
from pathlib import Path

import anyio
import pytest

from stratum_state import journal
from stratum_state.model import Fact, VerdictRecord
from stratum_state.surreal import SurrealStore
from support import engines, lives, records

pytestmark = [pytest.mark.acceptance, pytest.mark.crash, pytest.mark.timeout(240)]

KILLS = 5
TESTS = Path(__file__).parents[1]


async def test_a_killed_writer_loses_nothing_and_leaves_nothing_half_written(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)  # noqa: S311
    chance = random.Random(seed)  # noqa: S311
    print("seed", seed)  # noqa: T201 - a failure can be repeated with it

    for kill in range(KILLS):
        acknowledged = await write_and_kill(tmp_path / "state", str(kill), chance)
        async with engines.in_folder(tmp_path / "state") as store:
            for event_id, place in acknowledged.items():
                await is_there(store, event_id, at_least=place)
            for trail in await store.unfinished():
                await is_there(store, trail.run.event_id, at_least=-1)


async def write_and_kill(folder: Path, name: str, chance: random.Random) -> dict[str, int]:
    """Event to the last of its writes that was acknowledged before the writer was killed."""
    enough = chance.randrange(100, 600)
    acknowledged: dict[str, int] = {}
    command = [sys.executable, "-m", "support.lives", str(folder), name]
    paths = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    async with await anyio.open_process(
        command, stderr=None, env={"PYTHONPATH": paths}
    ) as child:
        assert child.stdout is not None
        said = b""
        async for part in child.stdout:
            said += part
            if said.count(b"\n") >= enough:
                child.send_signal(signal.SIGKILL)
    for line in said.decode().split("\n")[:-1]:
        event_id, place = line.split()
        acknowledged[event_id] = int(place)
    assert child.returncode == -signal.SIGKILL
    return acknowledged


async def is_there(store: SurrealStore, event_id: str, *, at_least: int) -> None:
    """The run's record ends with a whole write, not before the one that was acknowledged."""
    writes = lives.life(event_id)
    facts = [fact for write in writes for fact in write if of_the_run(fact)]
    lines = await store.journal(records.a_run(event_id).id)
    journal.verify(lines)
    ends = [*accumulate(sum(map(of_the_run, write)) for write in writes)]
    assert len(lines) in ends, event_id
    assert ends.index(len(lines)) >= at_least, event_id

    verdict = writes[0][1]
    assert isinstance(verdict, VerdictRecord)
    assert await store.verdict(verdict.id) == verdict
    trail = await store.trail(records.a_run(event_id).id)
    assert trail is not None
    latest = {(type(each), getattr(each, "node", "")): each for each in facts[: len(lines)]}
    assert {*latest.values()} == {trail.run, *trail.steps}


def of_the_run(fact: Fact) -> bool:
    return not isinstance(fact, VerdictRecord)
