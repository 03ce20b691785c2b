"""The tracker: store first, cache second, told third."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest

from stratum_state.errors import IllegalMove, Unavailable
from stratum_state.memory import MemoryStore
from stratum_state.model import Compensation, Fact, RunStatus, Trail
from stratum_state.tracker import StateTracker
from support import records
from support.records import a_compensation, a_run, a_step, a_verdict
from support.wait import until


class Gate(MemoryStore):
    """A store that lets writes through one by one, or is away."""

    def __init__(self) -> None:
        super().__init__()
        self.open = anyio.Event()
        self.away = False

    async def write(self, facts: Sequence[Fact]) -> None:
        await self.open.wait()
        if self.away:
            raise Unavailable
        await super().write(facts)


async def test_a_recorded_run_is_in_the_cache() -> None:
    tracker = StateTracker(MemoryStore())

    await tracker.record(a_run())

    assert tracker.trail(a_run().id) == Trail(run=a_run())


async def test_the_cache_believes_nothing_before_the_store_has_it() -> None:
    store = Gate()
    tracker = StateTracker(store)

    async with anyio.create_task_group() as group:
        group.start_soon(tracker.record, a_run())
        await anyio.wait_all_tasks_blocked()
        assert tracker.trail(a_run().id) is None
        store.open.set()

    assert tracker.trail(a_run().id) is not None


async def test_a_failed_write_leaves_the_cache_as_it_was() -> None:
    store, told = Gate(), []
    tracker = StateTracker(store, told.append)
    store.open.set()
    await tracker.record(a_run())
    store.away = True

    with pytest.raises(Unavailable):
        await tracker.record(records.running(a_run()))

    assert tracker.trail(a_run().id) == Trail(run=a_run())
    assert told == [(a_run(),)]


async def test_a_cancelled_caller_still_gets_its_fact_recorded() -> None:
    store = Gate()
    tracker = StateTracker(store)

    async with anyio.create_task_group() as group:
        group.start_soon(tracker.record, a_run())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        store.open.set()

    assert store.history == [a_run()]
    assert tracker.trail(a_run().id) is not None


async def test_an_illegal_move_is_told_to_nobody() -> None:
    told: list[Sequence[Fact]] = []
    tracker = StateTracker(MemoryStore(), told.append)
    await tracker.record(a_run())

    with pytest.raises(IllegalMove):
        await tracker.record(replace(a_run(), status=RunStatus.COMPLETED))

    assert len(told) == 1


async def test_what_a_run_is_told_without_moving_is_believed_and_not_announced() -> None:
    told: list[Sequence[Fact]] = []
    tracker = StateTracker(MemoryStore(), told.append)
    await tracker.record(a_run())

    await tracker.record(remarked := a_run().told('{"by":"olga"}'))

    assert tracker.trail(a_run().id) == Trail(run=remarked)
    assert told == [(a_run(),), ()]


async def test_a_run_that_left_something_undone_is_read_anew_each_time() -> None:
    store = MemoryStore()
    tracker = StateTracker(store)
    back = records.compensating(records.running(a_run()))
    partial = records.compensated(back, Compensation.PARTIAL)
    for fact in (a_run(), records.running(a_run()), back, partial):
        await store.write([fact])
    await tracker.find(a_run().id)

    await store.write([partial.told("{}", waived=True)])

    found = await tracker.find(a_run().id)
    assert found is not None
    assert found.run.waived


async def test_a_verdict_and_its_runs_are_one_write() -> None:
    told: list[Sequence[Fact]] = []
    tracker = StateTracker(MemoryStore(), told.append)
    verdict = a_verdict(a_run())

    await tracker.open(verdict, [a_run()])

    assert told == [(a_run(), verdict)]
    assert await tracker.verdict(verdict.id) == verdict


async def test_a_run_of_another_life_is_found_in_the_store() -> None:
    store = MemoryStore()
    await store.write([a_run()])
    tracker = StateTracker(store)

    assert tracker.trail(a_run().id) is None
    assert await tracker.find(a_run().id) == Trail(run=a_run())


async def test_recovery_fills_the_cache_with_what_is_not_over() -> None:
    store = MemoryStore()
    await store.write([a_run(), a_step(a_run())])
    tracker = StateTracker(store)

    trails = await tracker.recover()

    assert trails == [tracker.trail(a_run().id)]


async def test_runs_that_ended_leave_the_cache_but_not_the_tracker() -> None:
    tracker = StateTracker(MemoryStore())
    runs = [a_run(f"e{n}") for n in range(600)]
    for run in runs:
        await tracker.record(run)
        await tracker.record(records.running(run))
        await tracker.record(records.completed(records.running(run)))

    assert tracker.trail(runs[0].id) is None
    assert tracker.trail(runs[-1].id) is not None
    assert await tracker.find(runs[0].id) is not None


async def test_waiting_ends_with_the_next_change() -> None:
    tracker = StateTracker(MemoryStore())
    await tracker.record(a_run())
    _, seen = await tracker.changed(a_run().id, 0, 0)
    answers: list[Trail | None] = []

    async def wait() -> None:
        answers.append((await tracker.changed(a_run().id, seen, 60))[0])

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await tracker.record(records.running(a_run()))

    assert answers == [Trail(run=records.running(a_run()))]


async def test_waiting_ends_when_the_time_is_up() -> None:
    tracker = StateTracker(MemoryStore())
    await tracker.record(a_run())
    _, seen = await tracker.changed(a_run().id, 0, 60)

    trail, now = await tracker.changed(a_run().id, seen, 0.01)

    assert (trail, now) == (Trail(run=a_run()), seen)


async def test_a_run_can_be_waited_for_before_it_exists() -> None:
    tracker = StateTracker(MemoryStore())
    answers: list[Trail | None] = []

    async def wait() -> None:
        answers.append((await tracker.changed(a_run().id, 0, 60))[0])

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await tracker.record(a_run())
        await until(lambda: bool(answers))

    assert answers == [Trail(run=a_run())]


async def test_a_move_of_a_run_of_another_life_is_seen_by_the_next_reader() -> None:
    store = MemoryStore()
    await store.write([a_run()])
    tracker = StateTracker(store)

    await tracker.record(records.running(a_run()))

    assert tracker.trail(a_run().id) is None
    assert await tracker.find(a_run().id) == Trail(run=records.running(a_run()))


async def test_the_cache_and_the_store_tell_the_same_story() -> None:
    store = MemoryStore()
    tracker = StateTracker(store)
    run, slow, quick = a_run(), a_step(a_run(), "slow"), a_step(a_run(), "quick")
    await tracker.open(a_verdict(run), [run])

    await tracker.record(records.running(run), slow, quick)
    await tracker.record(records.succeeded(quick))
    await tracker.record(records.failed(slow))
    await tracker.record(
        records.compensating(records.running(run)), a_compensation(run, "quick")
    )

    assert tracker.trail(run.id) == await store.trail(run.id)
