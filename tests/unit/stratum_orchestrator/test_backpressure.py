"""How many runs may begin, and who waits for whom when there are more."""

import anyio
import pytest

from stratum_orchestrator.errors import NoRoom
from support.graph import node
from support.runner import ScriptedRunner
from support.saga import World, until_started

NODES = [node("a", gives="x", on="events.go")]


def world(capacity: int) -> World:
    return World(NODES, ScriptedRunner(outputs={"a": {"x": 1}}), capacity=capacity)


async def test_each_run_under_way_leaves_room_for_one_less() -> None:
    around = world(2)

    await around.carry()

    assert around.room.told == [1, 2]


async def test_whoever_needs_more_room_than_is_left_waits_for_it() -> None:
    runner = ScriptedRunner(hangs={"a"})
    around = World(NODES, runner, capacity=2)

    async with around.daemon() as (tracker, live), anyio.create_task_group() as tasks:
        run = await around.accept(tracker, live)
        entered = anyio.Event()

        async def enter() -> None:
            async with live.entrance.room_for(2):
                entered.set()

        tasks.start_soon(enter)
        await until_started(runner, "a")
        early = entered.is_set()
        await live.cancel(run, "enough")
        await entered.wait()

    assert not early


async def test_room_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    around = world(2)
    order: list[int] = []

    async with around.daemon() as (_, live), anyio.create_task_group() as tasks:

        async def enter(runs: int) -> None:
            async with live.entrance.room_for(runs):
                order.append(runs)

        async with live.entrance.room_for(1):
            for runs in (2, 1):
                tasks.start_soon(enter, runs)
            await anyio.wait_all_tasks_blocked()
        await anyio.wait_all_tasks_blocked()

    assert order == [2, 1]


async def test_more_runs_than_the_capacity_have_the_daemon_to_themselves() -> None:
    around = world(2)

    async with around.daemon() as (_, live), live.entrance.room_for(5):
        with pytest.raises(NoRoom, match=r"no room for 1 .* `runs.capacity`"):
            async with live.entrance.room_for(1, within_s=0):
                pass
