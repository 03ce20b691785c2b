"""Killing the database server, and instances on it, under load."""

import signal
from pathlib import Path

import anyio
import pytest

from stratum_state.errors import Unavailable
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore
from support import bridge, engines, lives
from support.bridge import Bridge, an_instance, expired
from support.chance import seeded
from support.lives import Writer
from support.records import a_run
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.crash, pytest.mark.timeout(240)]

EVERY = RunFilter()
KILLS = 5
ROUNDS = 5
TTL_S = 1
"""Of the survivor. The writers are more patient: who begins could take its lane, when nobody
gets to work for so long."""


async def test_a_killed_server_loses_nothing_and_keeps_nothing_twice(tmp_path: Path) -> None:
    chance = seeded()
    acknowledged: dict[str, int] = {}
    done = 0

    def told(event_id: str, place: int) -> None:
        nonlocal done
        acknowledged[event_id] = place
        done += 1

    async with bridge.running(tmp_path / "database") as server:
        async with an_instance(server, "one") as one, an_instance(server, "two") as two:
            async with anyio.create_task_group() as group:
                group.start_soon(lives.write, one, "1", told, 24)
                group.start_soon(lives.write, two, "2", told, 24)
                for _ in range(KILLS):
                    enough = done + chance.randrange(50, 500)
                    await until(lambda enough=enough: done >= enough, within=60)
                    await server.kill()
                    await until(lambda: not (one.available or two.available))
                    with pytest.raises(Unavailable):
                        await one.trail(a_run().id)
                    await server.start()
                    await until(lambda: one.available and two.available)
                group.cancel_scope.cancel()
            for event_id, place in acknowledged.items():
                await lives.is_there(one, event_id, at_least=place)
        async with bridge.connected(server) as connection:
            assert await engines.chains_hold(connection)


async def test_a_killed_instances_runs_are_finished_by_a_survivor(tmp_path: Path) -> None:
    chance = seeded()
    async with (
        bridge.running(tmp_path / "database") as server,
        an_instance(server, "survivor", TTL_S) as survivor,
    ):
        async with lives.a_writer(server.url, server.database, "1") as writer:
            await wrote(writer, chance.randrange(100, 600))
            writer.process.send_signal(signal.SIGKILL)
            await writer.process.wait()

        (lane,) = await expired(survivor)
        for trail in await survivor.adopt(lane):
            await lives.complete(survivor, trail)
        await survivor.release_idle()

        assert survivor.lanes == ("0",)
        assert await survivor.expired() == []
        await everything_is_there(server, survivor, writer)


async def test_an_instance_that_wakes_up_too_late_writes_nothing_more(tmp_path: Path) -> None:
    chance = seeded()
    async with (
        bridge.running(tmp_path / "database") as server,
        an_instance(server, "survivor", TTL_S) as survivor,
        lives.a_writer(server.url, server.database, "1") as writer,
    ):
        await wrote(writer, chance.randrange(100, 600))
        writer.process.send_signal(signal.SIGSTOP)
        (lane,) = await expired(survivor)
        trails = await survivor.adopt(lane)
        writer.process.send_signal(signal.SIGCONT)
        await writer.process.wait()

        left = [trail.run.event_id for trail in await survivor.unfinished()]

        assert writer.end == "Fenced"
        assert left == [trail.run.event_id for trail in trails]
        await everything_is_there(server, survivor, writer)


async def test_whatever_happens_each_run_is_carried_on_by_one_owner(tmp_path: Path) -> None:
    chance = seeded()
    writers: list[Writer] = []

    async with (
        bridge.running(tmp_path / "database") as server,
        an_instance(server, "survivor", TTL_S) as survivor,
        anyio.create_task_group() as group,
    ):
        group.start_soon(carry_on, survivor)
        for name in map(str, range(1, ROUNDS + 1)):
            async with lives.a_writer(server.url, server.database, name) as writer:
                writers.append(writer)
                await wrote(writer, chance.randrange(50, 300))
                if chance.random() < 0.5:
                    await server.kill()
                    await server.start()
                writer.process.send_signal(signal.SIGSTOP)
                if chance.random() < 0.5:
                    await anyio.sleep(TTL_S * 2 * chance.random())
                    writer.process.send_signal(signal.SIGCONT)
                    await wrote(writer, writer.writes + 20)
        await until(lambda: survivor.available)
        await until_all_is_over(survivor)
        group.cancel_scope.cancel()

        await everything_is_there(server, survivor, *writers)


async def carry_on(survivor: SurrealStore) -> None:
    """Finish whatever others leave behind."""
    while True:
        try:
            for lane in await survivor.expired():
                await survivor.adopt(lane)
            for trail in await survivor.unfinished():
                await lives.complete(survivor, trail)
            await survivor.release_idle()
        except Unavailable:
            pass
        await anyio.sleep(0.1)


async def until_all_is_over(survivor: SurrealStore) -> None:
    with anyio.fail_after(60):
        while await are_left(survivor):  # noqa: ASYNC110 - in the database
            await anyio.sleep(0.2)


async def are_left(survivor: SurrealStore) -> bool:
    runs = await survivor.runs(EVERY, after=None, limit=9999)
    return not all(run.is_over for run in runs)


async def wrote(writer: Writer, enough: int) -> None:
    """Return when the process has written so much, or ended."""
    await until(lambda: writer.writes >= enough or bool(writer.end), within=60)


async def everything_is_there(server: Bridge, store: SurrealStore, *writers: Writer) -> None:
    for writer in writers:
        assert writer.acknowledged
        for event_id, place in writer.acknowledged.items():
            await lives.is_there(store, event_id, at_least=place)
    async with bridge.connected(server) as connection:
        assert await engines.chains_hold(connection)
