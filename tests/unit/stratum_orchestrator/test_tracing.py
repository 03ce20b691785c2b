"""Spans are sent as facts become durable, and make one trace whoever records them."""

from dataclasses import replace

import pytest

from stratum_orchestrator.telemetry.tracing import Told, Traced, Tracing
from stratum_orchestrator.telling import Ears
from stratum_orchestrator.trace import TraceContext, of_attempt, of_run, passed_on
from stratum_state.memory import MemoryStore
from stratum_state.model import CompensationStatus, PipelineRun, StepStatus, VerdictKind
from stratum_state.tracker import StateTracker
from support import records
from support.graph import node
from support.runner import ScriptedRunner
from support.saga import World
from support.spans import Shelf, tree

TOLD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def tracked(store: MemoryStore, shelf: Shelf) -> tuple[StateTracker, Tracing]:
    """What one process records with, and what it sends."""
    ears = Ears()
    tracker = StateTracker(store, ears)
    tracing = Tracing(shelf, tracker.trail)
    ears.listeners.append(tracing.observe)
    return tracker, tracing


async def a_completed_run(tracker: StateTracker, accepted: PipelineRun) -> None:
    running, step = records.running(accepted), records.a_step(accepted)
    await tracker.record(accepted, running, records.a_verdict(accepted))
    await tracker.record(step)
    await tracker.record(records.succeeded(step), records.completed(running))


async def test_a_run_is_one_trace_from_its_event_to_its_steps() -> None:
    shelf = Shelf()
    tracker, _ = tracked(MemoryStore(), shelf)

    await a_completed_run(tracker, records.a_run())

    assert tree(shelf.kept) == {
        "intake": "RUN build",
        "lint": "stage 1",
        "stage 1": "RUN build",
        "RUN build": "-",
    }
    assert len({each.own.trace for each in shelf.kept}) == 1
    assert not any(each.failed for each in shelf.kept)


async def test_what_is_undone_hangs_on_the_way_back_with_what_was_lent() -> None:
    shelf = Shelf()
    tracker, _ = tracked(MemoryStore(), shelf)
    accepted = records.a_run()
    back, undo = (
        records.compensating(records.running(accepted)),
        records.a_compensation(accepted),
    )
    lease = records.a_lease(accepted, purpose="undo")

    await tracker.record(accepted, records.running(accepted))
    await tracker.record(records.a_step(accepted))
    await tracker.record(records.succeeded(records.a_step(accepted)), back)
    await tracker.record(undo, lease)
    await tracker.record(records.issued(lease))
    await tracker.record(records.revoked(records.issued(lease)), records.undone(undo))
    await tracker.record(records.compensated(back))

    assert tree(shelf.kept) == {
        "lint": "stage 1",
        "lease lint": "undo lint",
        "undo lint": "way back",
        "stage 1": "RUN build",
        "way back": "RUN build",
        "RUN build": "-",
    }
    said = shelf.kept[-1].attributes
    assert said["cicd.pipeline.result"] == "failure"
    assert said["stratum.run.status"] == "compensated"


async def test_a_killed_process_leaves_no_gap_in_the_trace() -> None:
    store, lost, shelf = MemoryStore(), Shelf(), Shelf()
    before, _ = tracked(store, lost)
    accepted = records.a_run()
    running, first = records.running(accepted), records.a_step(accepted)
    second = records.a_step(accepted, "test", stage=1)
    await before.record(accepted, running)
    await before.record(first)
    await before.record(records.succeeded(first), second)

    after, _ = tracked(store, shelf)
    await after.recover()
    again = replace(second, attempt=2)
    await after.record(second.to(StepStatus.LOST, ended=second.started + 50))
    await after.record(again)
    await after.record(records.succeeded(again), records.completed(running))

    assert sorted(each.name for each in shelf.kept) == [
        "RUN build",
        "lint",
        "stage 1",
        "stage 2",
        "test",
        "test",
    ]
    assert [each.own for each in lost.kept] == [
        each.own for each in shelf.kept if each.name == "lint"
    ]


async def test_a_publisher_has_the_run_in_its_own_trace() -> None:
    shelf = Shelf(wants=False)
    tracker, _ = tracked(MemoryStore(), shelf)

    await a_completed_run(tracker, replace(records.a_run(), trace=TOLD))

    root = shelf.kept[-1]
    assert root.parent == TraceContext.parse(TOLD)
    assert root.own.trace == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(("told", "wants"), [(TOLD[:-1] + "0", True), (None, False)])
async def test_what_is_not_sampled_is_not_sent(told: str | None, wants: bool) -> None:  # noqa: FBT001
    shelf = Shelf(wants=wants)
    tracker, tracing = tracked(MemoryStore(), shelf)
    accepted = replace(records.a_run(), trace=told)

    await a_completed_run(tracker, accepted)

    assert shelf.kept == []
    assert tracing.told(accepted.id, told).endswith("-00")


async def test_an_event_that_is_refused_is_a_trace_of_one_span() -> None:
    shelf = Shelf()
    tracker, _ = tracked(MemoryStore(), shelf)

    await tracker.record(records.a_verdict(kind=VerdictKind.REFUSED))

    [span] = shelf.kept
    assert span.failed
    assert span.attributes["error.type"] == "refused"


async def test_no_payload_and_no_word_of_a_script_is_in_a_span() -> None:
    shelf = Shelf()
    tracker, _ = tracked(MemoryStore(), shelf)
    accepted = replace(records.a_run(), data='"payload"')
    back = records.compensating(records.running(accepted), "secret words")
    failed = records.failed(records.a_step(accepted))
    undo = records.a_compensation(accepted)

    await tracker.record(accepted, records.running(accepted))
    await tracker.record(records.a_step(accepted))
    await tracker.record(failed, back, undo)
    worse = undo.to(CompensationStatus.FAILED, ended=undo.started, error="secret words")
    await tracker.record(worse, records.compensated(back))

    said = repr(shelf.kept)
    assert "payload" not in said
    assert "words" not in said
    assert str(failed.error) not in said


async def test_a_process_is_told_its_own_span() -> None:
    _, tracing = tracked(MemoryStore(), Shelf())
    told = await variable(tracing.told, is_recorded=True)

    [(run, said)] = told.items()
    own = of_attempt(of_run(run, None), "do", "a", 1)
    assert said == str(own)


async def test_without_tracing_a_process_is_told_what_the_event_came_with() -> None:
    assert set((await variable(passed_on, is_recorded=False)).values()) == {None}
    told = await variable(lambda _run, _told: TOLD, is_recorded=False)
    assert set(told.values()) == {TOLD}


async def variable(told: Told, *, is_recorded: bool) -> dict[str, str | None]:
    """Run to the TRACEPARENT of its only process."""
    runner = ScriptedRunner()
    traced = Traced(runner, told, is_recorded=is_recorded)
    await World([node("a", on="events.go")], runner=traced).carry()
    return {each.run: each.env.get("TRACEPARENT") for each in runner.commands}
