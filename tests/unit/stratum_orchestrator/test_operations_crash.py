"""Killed in the middle of an operator's command, a run still ends as it should."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.lowlevel
import pytest

from stratum_orchestrator.saga.recovery import resume
from stratum_state.decision import DecisionRecord
from stratum_state.journal import verify
from stratum_state.model import Compensation, Fact, PipelineRun, RunStatus, Trail
from support.graph import node
from support.operators import WISH, Desk, desk
from support.runner import ScriptedRunner
from support.saga import World, told, until_started

SAGA = [
    node("reserve", gives="reserved", on="events.go"),
    node("charge", needs="reserved", gives="charged"),
    node("ship", needs="charged", gives="shipped"),
]
OUTPUTS = {"reserve": {"reserved": 1}, "charge": {"charged": 1}, "ship": {"shipped": 1}}
BOTH_FAIL = {"ship", "charge/undo"}

Command = Callable[[Desk, str], Awaitable[object]]


def well() -> ScriptedRunner:
    return ScriptedRunner(outputs=OUTPUTS)


def moves(around: World) -> Sequence[Fact]:
    """What is on record of runs."""
    return [each for each in around.store.history if not isinstance(each, DecisionRecord)]


async def lives_after(around: World, begun: int) -> Sequence[World]:
    """What the next daemon finds when this one dies after each record since the command."""
    history = moves(around)
    return [await _world(around, history[:length]) for length in range(begun + 1, len(history))]


async def _world(around: World, facts: Sequence[Fact]) -> World:
    other = World(around.definitions, well(), blobs=around.blobs)
    other.clock.ms = around.clock.ms + 1000
    for fact in facts:
        await other.store.write([fact])
    return other


async def ended(around: World, run: str) -> Trail:
    """The run, after one more life of the daemon that carries it on."""
    async with around.daemon() as (tracker, live):
        assert await resume(tracker, live) == {}
    trail = await around.store.trail(run)
    assert trail is not None
    verify(await around.store.journal(run))
    assert all(each.is_over for each in (*trail.steps, *trail.compensations))
    return trail


async def commanded(around: World, run: str, command: Command) -> int:
    """Do it in a life of its own; how many records there were before."""
    async with desk(around) as at:
        begun = len(moves(around))
        await command(at, run)
    return begun


async def test_killed_while_it_is_abandoned_a_run_is_abandoned() -> None:
    around = World(SAGA, runner := ScriptedRunner(outputs=OUTPUTS, hangs={"charge"}))
    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "charge")
        begun = len(moves(around))
        await at.operations.abandon(run, WISH)

    lives = await lives_after(around, begun)

    assert len(lives) == 2
    for life in lives:
        trail = await ended(life, run)
        assert trail.run.status is RunStatus.ABANDONED, told(life.store.history)
        assert trail.run.cause == "abandoned by olga: it has to be"
        assert trail.compensations == ()


async def test_killed_while_it_is_abandoned_in_its_undoing_a_run_is_abandoned() -> None:
    runner = ScriptedRunner(outputs=OUTPUTS, fails={"ship"}, hangs={"charge/undo"})
    around = World(SAGA, runner)
    async with desk(around) as at:
        run = await at.accept()
        with anyio.fail_after(5):
            while ("charge", "undo") not in runner.ran:
                await anyio.lowlevel.checkpoint()
        begun = len(moves(around))
        await at.operations.abandon(run, WISH)

    for life in await lives_after(around, begun):
        assert (await ended(life, run)).run.status is RunStatus.ABANDONED


async def test_killed_while_it_is_cancelled_a_run_is_undone() -> None:
    around = World(SAGA, runner := ScriptedRunner(outputs=OUTPUTS, hangs={"charge"}))
    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "charge")
        begun = len(moves(around))
        await at.operations.cancel(run, WISH)

    for life in await lives_after(around, begun):
        trail = await ended(life, run)
        assert trail.run.cause == "cancelled by olga: it has to be"
        assert trail.run.compensation is Compensation.CLEAN


async def test_killed_while_a_compensation_is_tried_again_it_is_tried_to_its_end() -> None:
    around = World(SAGA, ScriptedRunner(outputs=OUTPUTS, fails=BOTH_FAIL))
    run = (await around.carry()).run.id
    begun = await commanded(
        around, run, lambda at, of: at.operations.undo_again(of, "charge", WISH)
    )

    lives = await lives_after(around, begun)

    assert len(lives) > 5
    for life in lives:
        trail = await ended(life, run)
        assert trail.run.status is RunStatus.COMPENSATED, told(life.store.history)
        attempts = [each for each in trail.compensations if each.node == "charge"]
        undone = attempts[-1].status == "done"
        assert trail.run.compensation == ("clean" if undone else "partial")
        assert undone or len(attempts) == 6


@pytest.mark.parametrize("command", ["retry", "waive"])
async def test_killed_behind_a_single_write_there_is_nothing_left_to_mend(
    command: str,
) -> None:
    around = World(SAGA, ScriptedRunner(outputs=OUTPUTS, fails=BOTH_FAIL))
    old = (await around.carry()).run.id
    around.runner = well()

    async def do(at: Desk, run: str) -> None:
        if command == "waive":
            await at.operations.waive(run, "charge", WISH)
        else:
            await at.operations.retry(run, WISH)

    begun = await commanded(around, old, do)

    for life in [*await lives_after(around, begun), around]:
        trail = await ended(life, old)
        assert trail.run.compensation is Compensation.PARTIAL
        for run in {each.id for each in life.store.history if isinstance(each, PipelineRun)}:
            assert (await ended(life, run)).run.is_over


async def test_killed_behind_the_note_of_a_retry_a_run_set_aside_goes_on() -> None:
    first = World(SAGA, ScriptedRunner(outputs=OUTPUTS))
    run = (await first.carry()).run.id
    around = await _world(first, first.store.history[:3])
    around.blobs = type(first.blobs)()
    async with desk(around) as at:
        begun = len(moves(around))
        at.live.plan_of = lambda _: around.generation.plans("events.go")[0]  # type: ignore[method-assign]
        await at.operations.retry(run, WISH)
    around.blobs = first.blobs

    for life in await lives_after(around, begun):
        assert (await ended(life, run)).run.status is RunStatus.COMPLETED
