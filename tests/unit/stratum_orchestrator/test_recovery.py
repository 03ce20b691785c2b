"""Every prefix of what was recorded is a place where the daemon may have been killed."""

from dataclasses import replace

import msgspec
import pytest

from stratum_graph.model import Definition
from stratum_orchestrator.saga.recovery import resume
from stratum_orchestrator.saga.step import LOST_ATTEMPTS
from stratum_state.journal import verify
from stratum_state.memory import MemoryStore
from stratum_state.model import (
    CompensationRecord,
    CompensationStatus,
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
)
from support.graph import PURE, node
from support.runner import ScriptedRunner
from support.saga import MemoryBlobs, World, told

DIAMOND = [
    node("a", gives="x", on="events.go"),
    node("b", needs="x", gives="y"),
    node("c", needs="x", gives="z"),
    node("d", needs="y z", gives="w"),
]
MIXED = [
    node("check", gives="checked", on="events.go", effect=PURE, undo=False),
    node("reserve", needs="checked", gives="reserved"),
    node("charge", needs="reserved", gives="charged"),
    node("ship", needs="charged", gives="shipped"),
]
OUTPUTS = {
    name: {name_of: 1}
    for name, name_of in {
        "a": "x",
        "b": "y",
        "c": "z",
        "d": "w",
        "check": "checked",
        "reserve": "reserved",
        "charge": "charged",
        "ship": "shipped",
    }.items()
}


async def history_of(
    nodes: list[Definition], fails: set[str], later_ms: int = 0
) -> tuple[list[Fact], MemoryBlobs]:
    world = World(nodes, ScriptedRunner(outputs=OUTPUTS, fails=fails))
    world.clock.ms += later_ms
    await world.carry()
    return world.store.history, world.blobs


def run_of(history: list[Fact]) -> str:
    assert isinstance(history[0], PipelineRun)
    return history[0].id


async def resumed(nodes: list[Definition], facts: list[Fact], blobs: MemoryBlobs) -> World:
    """A world in which a daemon died after these facts, carried on by the next one."""
    world = World(nodes, blobs=blobs)
    for fact in facts:
        await world.store.write([fact])
    return world


async def the_only(store: MemoryStore, run_id: str) -> Trail:
    trail = await store.trail(run_id)
    assert trail is not None
    verify(await store.journal(run_id))
    return trail


@pytest.mark.parametrize(
    ("nodes", "fails"),
    [
        (DIAMOND, set()),
        (DIAMOND, {"d"}),
        (DIAMOND, {"c"}),
        (MIXED, {"ship"}),
        (MIXED, {"ship", "charge/undo"}),
    ],
    ids=["completes", "last fails", "middle fails", "saga", "undo fails"],
)
async def test_killed_after_any_record_a_run_ends_as_it_would_have(
    nodes: list[Definition], fails: set[str]
) -> None:
    history, blobs = await history_of(nodes, fails)
    run = run_of(history)

    for length in range(1, len(history)):
        world = await resumed(nodes, history[:length], blobs)
        world.runner = ScriptedRunner(outputs=OUTPUTS, fails=fails)
        async with world.daemon() as (tracker, live):
            assert await resume(tracker, live) == {}

        trail = await the_only(world.store, run)
        check_invariants(world, trail, nodes)
        wanted = RunStatus.COMPENSATED if fails else RunStatus.COMPLETED
        assert trail.run.status is wanted, told(world.store.history)


def check_invariants(world: World, trail: Trail, nodes: list[Definition]) -> None:
    undone = [each for each in world.store.history if isinstance(each, CompensationRecord)]
    assert trail.run.is_over
    assert all(step.is_over for step in trail.steps)
    for name in {step.node for step in trail.steps}:
        good = [s for s in trail.steps if s.node == name and s.status is StepStatus.SUCCEEDED]
        assert len(good) <= 1, f"{name} succeeded twice"
    by_name = {each.node.name: each.node for each in nodes}
    if trail.run.status is RunStatus.COMPLETED:
        assert trail.compensations == ()
        return
    done = {each.node for each in trail.compensations if each.status is CompensationStatus.DONE}
    tried = {each.node for each in trail.compensations}
    for step in trail.steps:
        acted = step.status in (StepStatus.SUCCEEDED, StepStatus.LOST, StepStatus.CANCELLED)
        if acted and by_name[step.node].compensate is not None:
            assert step.node in tried, f"{step.node} was never undone"
    stages = [each.stage for each in undone]
    assert stages == sorted(stages, reverse=True)
    assert (trail.run.compensation == "clean") == (tried == done)


async def test_a_step_that_kills_the_daemon_each_time_is_failed_after_its_attempts() -> None:
    history, blobs = await history_of(DIAMOND, set())
    world = await resumed(DIAMOND, history[:3], blobs)
    first = history[2]
    assert isinstance(first, StepRecord)
    for number in range(1, LOST_ATTEMPTS):
        step = replace(first, attempt=number)
        await world.store.write([step.to(StepStatus.LOST, ended=1, error_class="lost")])
        await world.store.write([replace(first, attempt=number + 1)])
    world.runner = executor = ScriptedRunner(outputs=OUTPUTS)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    trail = await the_only(world.store, first.run)
    assert ("a", "do") not in executor.ran
    assert [step.status for step in trail.steps] == [StepStatus.LOST] * LOST_ATTEMPTS
    assert trail.run.cause == "a lost: the daemon ended while it ran"


async def test_a_run_whose_plan_is_gone_is_named_and_does_not_hold_up_the_others() -> None:
    history, blobs = await history_of(DIAMOND, set())
    world = await resumed(DIAMOND, history[:4], blobs)
    second = await history_of(MIXED, set(), later_ms=1000)
    for fact in second[0][:2]:
        await world.store.write([fact])
    world.blobs = second[1]
    world.runner = ScriptedRunner(outputs=OUTPUTS)

    async with world.daemon() as (tracker, live):
        left = await resume(tracker, live)

    assert list(left) == [run_of(history)]
    other = await the_only(world.store, run_of(second[0]))
    assert other.run.status is RunStatus.COMPLETED


async def test_the_same_key_is_given_to_every_execution_of_a_step() -> None:
    history, blobs = await history_of(DIAMOND, set())
    world = await resumed(DIAMOND, history[:3], blobs)
    world.runner = executor = ScriptedRunner(outputs=OUTPUTS)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    keys = [msgspec.json.decode(each.stdin)["step"] for each in executor.commands]
    assert keys[0] == {
        "node": "a",
        "attempt": 2,
        "idempotency_key": f"{run_of(history)}/a",
    }


async def test_a_step_cut_off_by_a_cancellation_is_lost_and_undone() -> None:
    history, blobs = await history_of(DIAMOND, set())
    run = history[1]
    assert isinstance(run, PipelineRun)
    turned = run.to(RunStatus.COMPENSATING, cause="cancelled by ada")
    world = await resumed(DIAMOND, [*history[:3], turned], blobs)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    trail = await the_only(world.store, run.id)
    assert [(step.node, step.status) for step in trail.steps] == [("a", StepStatus.LOST)]
    assert [undo.status for undo in trail.compensations] == [CompensationStatus.DONE]


async def test_a_clock_that_was_set_does_not_use_up_a_runs_time() -> None:
    history, blobs = await history_of(DIAMOND, set())
    world = await resumed(DIAMOND, history[:4], blobs)
    world.clock.ms += 10 * 365 * 24 * 3600 * 1000
    world.runner = ScriptedRunner(outputs=OUTPUTS)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    trail = await the_only(world.store, run_of(history))
    assert trail.run.status is RunStatus.COMPLETED


def turned_back(history: list[Fact], *ends: StepRecord) -> tuple[list[Fact], PipelineRun]:
    """The facts up to stage 1 of the diamond, these ends of its steps, and the turn."""
    run = history[1]
    assert isinstance(run, PipelineRun)
    started = [replace(end, status=StepStatus.STARTED, ended=None) for end in ends]
    turn = run.to(RunStatus.COMPENSATING, cause="cancelled by ada")
    return [*history[:4], *started, *ends, turn], run


def ended(run: str, node: str, at: int) -> StepRecord:
    return StepRecord(
        run=run, node=node, stage=1, attempt=1, status=StepStatus.LOST, started=1, ended=at
    )


def undone(world: World) -> list[str]:
    return [
        each.node
        for each in world.store.history
        if isinstance(each, CompensationRecord) and each.status is CompensationStatus.STARTED
    ]


async def test_a_clock_that_is_set_back_does_not_turn_the_order_of_undoing() -> None:
    history, blobs = await history_of(DIAMOND, set())
    first, last = ended(run_of(history), "b", 2_000), ended(run_of(history), "c", 1_000)
    facts, _ = turned_back(history, first, last)
    world = await resumed(DIAMOND, facts, blobs)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    assert undone(world) == ["c", "b", "a"]


async def test_what_was_being_undone_is_undone_before_anything_else() -> None:
    history, blobs = await history_of(DIAMOND, set())
    facts, run = turned_back(
        history, ended(run_of(history), "b", 1), ended(run_of(history), "c", 2)
    )
    begun = CompensationRecord(
        run=run.id, node="b", stage=1, attempt=1, outcome="interrupted", started=3
    )
    world = await resumed(DIAMOND, [*facts, begun], blobs)

    async with world.daemon() as (tracker, live):
        await resume(tracker, live)

    assert undone(world) == ["b", "b", "c", "a"]
