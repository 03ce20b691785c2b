"""Killing a writer under load: what was acknowledged is there, nothing is there by half."""

import signal
from pathlib import Path
from random import Random

import pytest

from support import engines, lives
from support.chance import seeded
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.crash, pytest.mark.timeout(240)]

KILLS = 5


async def test_a_killed_writer_loses_nothing_and_leaves_nothing_half_written(
    tmp_path: Path,
) -> None:
    chance = seeded()

    for kill in range(KILLS):
        acknowledged = await write_and_kill(tmp_path / "state", str(kill), chance)
        async with engines.in_folder(tmp_path / "state") as store:
            for event_id, place in acknowledged.items():
                await lives.is_there(store, event_id, at_least=place)
            for trail in await store.unfinished():
                await lives.is_there(store, trail.run.event_id, at_least=-1)


async def write_and_kill(folder: Path, name: str, chance: Random) -> dict[str, int]:
    """Event to the last of its writes that was acknowledged before the writer was killed."""
    enough = chance.randrange(100, 600)
    async with lives.a_writer(f"surrealkv://{folder}", "test", name) as writer:
        await until(lambda: writer.writes >= enough or bool(writer.end), within=60)
        writer.process.send_signal(signal.SIGKILL)
        await writer.process.wait()
    assert writer.process.returncode == -signal.SIGKILL
    return writer.acknowledged
