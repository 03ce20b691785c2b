"""Retention: what is old goes with all that belongs to it; what is kept can be verified."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from stratum_state import journal
from stratum_state.errors import Rejected
from stratum_state.model import Compensation, CompensationStatus, PipelineRun, VerdictKind
from stratum_state.store import DecisionFilter, RunFilter
from stratum_state.surreal import SurrealStore, opening
from stratum_state.surreal.retention import Collected, removal
from stratum_state.surreal.ticket import Stretch
from support import engines, records, signing
from support.engines import INSTANCE, Faulty
from support.records import NOW, a_compensation, a_run, a_step, a_verdict

LATER = 2**53
EVERY = RunFilter()
TABLES = ("run", "step", "compensation", "blob", "inbox", "verdict", "head")


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        yield engine


@pytest.fixture
async def store(engine: Faulty) -> AsyncIterator[SurrealStore]:
    async with opening.over(engine, instance=INSTANCE, signer=signing.SIGNER) as store:
        yield store


async def live(store: SurrealStore, run: PipelineRun, sequence: int = 1) -> None:
    """Write the run from its verdict to its end, undone, with a large output."""
    step, undo = a_step(run), a_compensation(run)
    back = records.compensating(records.running(run))
    await store.write([run, a_verdict(run, sequence=sequence)])
    await store.write([records.running(run), step])
    await store.write([records.succeeded(step, outputs='"' + "x" * 70_000 + '"')])
    await store.write([back, undo])
    await store.write([records.undone(undo)])
    await store.write([records.compensated(back)])


async def counts(engine: Faulty) -> dict[str, int]:
    return {each: len(await engines.found(engine, each)) for each in TABLES}


async def test_what_was_not_undone_stays_until_somebody_has_waived_it(
    store: SurrealStore,
) -> None:
    back = records.compensating(records.running(a_run()))
    partial = records.compensated(back, Compensation.PARTIAL)
    for fact in (a_run(), records.running(a_run()), back, partial):
        await store.write([fact])

    before = await store.collect(LATER, 100)
    await store.write([partial.told("{}", waived=True)])
    after = await store.collect(LATER, 100)

    assert (before.runs, after.runs) == (0, 1)


async def test_a_run_goes_with_all_that_belongs_to_it(
    engine: Faulty, store: SurrealStore
) -> None:
    run = a_run()
    await live(store, run)

    collected = await store.collect(LATER, 100)

    assert collected == Collected(runs=1, verdicts=1, batches=5)
    assert await counts(engine) == dict.fromkeys(TABLES, 0)
    assert await store.trail(run.id) is None
    assert list(await store.journal(run.id)) == []
    assert await engines.chains_hold(engine)


async def test_what_is_not_over_or_not_old_is_kept(store: SurrealStore) -> None:
    old, young = a_run("e1", at=NOW - 10_000), a_run("e2")
    going_on = a_run("e3", at=NOW - 20_000)
    for number, run in enumerate((old, young), start=1):
        await live(store, run, number)
    await store.write([going_on, a_verdict(going_on, sequence=3)])

    collected = await store.collect(NOW - 5_000, 100)
    left = await store.runs(EVERY, after=None, limit=9)

    assert (collected.runs, collected.verdicts) == (1, 1)
    assert {run.event_id for run in left} == {"e2", "e3"}
    assert len(await store.verdicts(after=None, limit=9)) == 2


async def test_the_journal_of_what_is_kept_can_still_be_verified(
    engine: Faulty, store: SurrealStore
) -> None:
    kept, step = a_run("kept"), a_step(a_run("kept"))
    await live(store, a_run("e1"), 1)
    await store.write([kept])
    await live(store, a_run("e2"), 2)
    await store.write([records.running(kept), step])
    await live(store, a_run("e3"), 3)

    collected = await store.collect(LATER, 100)
    lines = await store.journal(kept.id)

    journal.verify(lines)
    assert len(lines) == 3
    assert collected == Collected(runs=3, verdicts=3, batches=17)
    assert len(await engines.found(engine, "anchor")) == 3
    assert await engines.chains_hold(engine)


async def test_anchors_side_by_side_become_one(engine: Faulty, store: SurrealStore) -> None:
    for number in range(1, 4):
        await live(store, a_run(f"e{number}"), number)
        while any(await store.collect(LATER, 2)):
            pass

    assert len(await engines.found(engine, "anchor")) == 1
    assert len(await engines.found(engine, "journal")) <= 2
    assert await engines.chains_hold(engine)


async def test_the_journal_says_what_was_removed(engine: Faulty, store: SurrealStore) -> None:
    run = a_run()
    await live(store, run)

    await store.collect(LATER, 100)

    bodies = [str(each["body"]) for each in await engines.found(engine, "journal")]
    assert any('"kind":"collected"' in each and run.id in each for each in bodies)


async def test_no_more_goes_than_was_said(store: SurrealStore) -> None:
    for number in range(1, 6):
        await live(store, a_run(f"e{number}"), number)

    collected = [await store.collect(LATER, 2) for _ in range(3)]

    assert [each.runs for each in collected] == [2, 2, 1]
    assert all(each.verdicts <= 2 and each.batches <= 2 for each in collected)


async def test_a_dry_run_counts_and_changes_nothing(
    engine: Faulty, store: SurrealStore
) -> None:
    await live(store, a_run())
    before = await counts(engine)

    counted = await store.collect(LATER, 100, dry_run=True)

    assert await counts(engine) == before
    assert counted == await store.collect(LATER, 100)


async def test_a_verdict_without_runs_goes_when_it_is_old(store: SurrealStore) -> None:
    await store.write([a_verdict(sequence=1, kind=VerdictKind.REFUSED)])
    await store.write([a_verdict(sequence=2, kind=VerdictKind.REFUSED)])

    collected = await store.collect(LATER, 100)

    assert collected.verdicts == 2
    assert await store.verdicts(after=None, limit=9) == []


async def test_the_verdict_of_a_run_that_is_kept_is_kept(store: SurrealStore) -> None:
    over, going_on = a_run("e1"), a_run("e1", pipeline="deploy")
    await store.write([over, going_on, a_verdict(over, going_on)])
    await store.write([records.running(over)])
    await store.write([records.completed(records.running(over))])

    collected = await store.collect(LATER, 100)

    assert (collected.runs, collected.verdicts) == (1, 0)
    assert len(await store.verdicts(after=None, limit=9)) == 1


async def test_decisions_go_when_they_are_old_and_their_journal_with_them(
    engine: Faulty, store: SurrealStore
) -> None:
    old, young = records.a_decision(last=NOW - 10_000), records.a_decision(last=NOW)
    for each in (old, young):
        await store.write([each])
    await store.write([a_run("later")])  # a lane's newest row stays

    counted = await store.collect(NOW - 5_000, 100, dry_run=True)
    collected = await store.collect(NOW - 5_000, 100)
    rest = await store.collect(LATER, 100)

    assert counted.decisions == collected.decisions == rest.decisions == 1
    assert await store.decisions(DecisionFilter(), after=None, limit=9) == []
    assert rest.batches == 2
    assert await engines.chains_hold(engine)


async def test_nothing_can_be_added_to_a_run_that_went(store: SurrealStore) -> None:
    run = a_run()
    failed = a_compensation(run).to(CompensationStatus.FAILED, ended=NOW)
    back = records.compensating(run)
    await store.write([run])
    await store.write([back, a_compensation(run)])
    partial = records.compensated(back, Compensation.PARTIAL)
    await store.write([failed, partial])
    await store.write([partial.told("{}", waived=True)])
    await store.collect(LATER, 100)

    with pytest.raises(Rejected, match="is not on record"):
        await store.write([failed.to(CompensationStatus.WAIVED, error="by hand")])


async def test_a_removal_that_arrived_unheard_is_not_done_twice(
    engine: Faulty, store: SurrealStore
) -> None:
    await live(store, a_run())
    engine.after.append(engines.LOST)

    collected = await store.collect(LATER, 100)

    assert collected.runs == 1
    assert await engines.chains_hold(engine)


async def test_an_event_can_start_anew_what_was_removed(store: SurrealStore) -> None:
    run = a_run()
    await live(store, run)
    await store.collect(LATER, 100)

    await store.write([run, a_verdict(run)])

    assert await store.inbox([run.identity]) == {run.identity: run.id}
    journal.verify(await store.journal(run.id))


async def test_a_store_opens_again_when_much_of_it_went(engine: Faulty) -> None:
    async with opening.over(engine, instance=INSTANCE) as store:
        await live(store, a_run())
        while any(await store.collect(LATER, 100)):
            pass

    async with opening.over(engine, instance=INSTANCE) as store:
        await store.write([a_run("e2")])

    assert await engines.chains_hold(engine)


def test_batches_that_do_not_follow_from_each_other_have_anchors_of_their_own() -> None:
    first, second, third = (
        Stretch(1, 1, "0", "a"),
        Stretch(2, 2, "a", "b"),
        Stretch(3, 3, "b", "c"),
    )
    old = Stretch(5, 8, "d", "e")

    apart = removal([first, third], [old])
    together = removal([second], [first, third])

    assert apart.anchors == [first, third]
    assert together.anchors == [Stretch(1, 3, "0", "c")]
    assert together.stretches == [first, second, third]


async def test_a_run_whose_end_is_still_to_be_published_stays(store: SurrealStore) -> None:
    running = records.running(a_run())
    over = replace(records.completed(running), notice="events.stratum.run.completed.build")
    await store.write([a_run(), running])
    await store.write([over])

    before = await store.collect(LATER, 100)
    await store.write([over.heard_of(7)])
    after = await store.collect(LATER, 100)

    assert (before.runs, after.runs) == (0, 1)
