"""The lane, on the real engine, with faults put in front of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import anyio
import pytest

from stratum_state import journal
from stratum_state.errors import Fenced, Rejected, StateError, Unavailable
from stratum_state.model import Fact
from stratum_state.surreal import SurrealStore, lease, opening, replies
from stratum_state.surreal.lease import Claimant
from support import engines, records
from support.engines import INSTANCE, LANE, Faulty
from support.records import a_run, a_step
from support.wait import until


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        yield engine


@pytest.fixture
async def store(engine: Faulty) -> AsyncIterator[SurrealStore]:
    async with opening.over(engine, instance=INSTANCE) as store:
        yield store


async def write_together(
    store: SurrealStore, writes: Sequence[Sequence[Fact]]
) -> list[StateError | None]:
    ends: list[StateError | None] = [None] * len(writes)

    async def write(at: int) -> None:
        try:
            await store.write(writes[at])
        except StateError as error:
            ends[at] = error

    async with anyio.create_task_group() as group:
        for at in range(len(writes)):
            group.start_soon(write, at)
    return ends


async def test_writes_at_the_same_time_share_a_transaction(
    engine: Faulty, store: SurrealStore
) -> None:
    await write_together(store, [[a_run(f"e{n}")] for n in range(50)])

    assert engine.commits <= 3


@pytest.mark.parametrize("place", [0, 3, 7])
async def test_only_the_writer_of_what_the_store_refuses_is_told_so(
    engine: Faulty, store: SurrealStore, place: int
) -> None:
    runs = [a_run(f"e{n}") for n in range(8)]
    await store.write(runs)
    ends = [[records.succeeded(a_step(run))] for run in runs]
    ends[place] = [replace(ends[place][0], exit_code="no number")]  # type: ignore[arg-type]
    await write_together(store, [[a_step(run)] for run in runs])

    told = await write_together(store, ends)

    assert [at for at, error in enumerate(told) if error] == [place]
    assert isinstance(told[place], Rejected)
    for at, run in enumerate(runs):
        trail = await store.trail(run.id)
        assert trail is not None
        assert trail.steps == ((a_step(run),) if at == place else tuple(ends[at]))
        journal.verify(await store.journal(run.id))
    assert await engines.chains_hold(engine)


async def test_what_was_written_behind_a_refused_write_is_judged_again(
    store: SurrealStore,
) -> None:
    run, step = a_run(), a_step(a_run())
    await store.write([run])
    poison = replace(step, level=7)  # type: ignore[arg-type]

    told = await write_together(store, [[poison], [records.succeeded(poison)]])

    assert all(told)
    trail = await store.trail(run.id)
    assert trail is not None
    assert trail.steps == ()


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_a_name_that_the_store_would_not_give_back_is_refused(
    store: SurrealStore, text: str
) -> None:
    run = replace(a_run(), subject=text)

    told = await write_together(store, [[run], [a_run("e2")]])

    assert isinstance(told[0], Rejected)
    assert told[1] is None


async def test_what_no_transaction_could_hold_is_refused(store: SurrealStore) -> None:
    run = records.with_data(a_run(), '"' + "x" * (9 << 20) + '"')

    told = await write_together(store, [[run], [a_run("e2")]])

    assert isinstance(told[0], Rejected)
    assert told[1] is None


async def test_a_batch_whose_answer_was_lost_is_not_written_twice(
    engine: Faulty, store: SurrealStore
) -> None:
    engine.after.append(replies.Lost("the line went dead"))

    await store.write([a_run()])
    await store.write([records.running(a_run())])

    assert engine.commits == 2
    assert await engines.chains_hold(engine)


@pytest.mark.parametrize("error", [replies.Lost("no line"), replies.Conflict("in the way")])
async def test_a_batch_that_did_not_arrive_is_sent_again(
    engine: Faulty, store: SurrealStore, error: replies.SurrealError
) -> None:
    engine.before += [error, error]

    await store.write([a_run()])

    assert engine.commits == 3
    assert await store.trail(a_run().id) is not None


async def test_a_stale_owner_writes_nothing_more(engine: Faulty, store: SurrealStore) -> None:
    await store.write([a_run()])
    await lease.claim(engine, Claimant("two", ttl_s=0))

    with pytest.raises(Fenced):
        await store.write([records.running(a_run())])
    with pytest.raises(Fenced):
        await store.write([a_run("e2")])
    with pytest.raises(Fenced):
        await store.failure()

    trail = await store.trail(a_run().id)
    assert trail is not None
    assert trail.run == a_run()


async def test_an_idle_lane_shows_that_it_lives(engine: Faulty) -> None:
    async with opening.over(engine, instance=INSTANCE, ttl_s=0.03):
        await until(lambda: engine.commits >= 2)

    held = await lease.read(engine, LANE)
    assert held.seq == engine.commits
    assert held.chain.last == 0


async def test_what_was_handed_over_is_kept_before_the_store_closes(engine: Faulty) -> None:
    async with (
        anyio.create_task_group() as group,
        opening.over(engine, instance=INSTANCE) as store,
    ):
        group.start_soon(store.write, [a_run()])
        await anyio.wait_all_tasks_blocked()

    async with opening.over(engine, instance=INSTANCE) as store:
        assert await store.trail(a_run().id) is not None


async def test_a_closed_store_takes_nothing(engine: Faulty) -> None:
    async with opening.over(engine, instance=INSTANCE) as store:
        pass

    with pytest.raises(Unavailable, match="closed"):
        await store.write([a_run()])


async def test_a_store_opened_again_goes_on_with_its_chains(engine: Faulty) -> None:
    step = a_step(a_run())
    async with opening.over(engine, instance=INSTANCE) as store:
        await store.write([a_run(), step])

    async with opening.over(engine, instance=INSTANCE) as store:
        await store.write([records.succeeded(step)])
        await store.write([records.running(a_run())])
        lines = await store.journal(a_run().id)

    journal.verify(lines)
    assert len(lines) == 4
    assert await engines.chains_hold(engine)


async def test_a_disk_that_takes_nothing_more_stops_the_lane(
    engine: Faulty, store: SurrealStore
) -> None:
    engine.before.append(replies.Broken("fsync failed"))

    with pytest.raises(Unavailable, match="empty the disk, then start again"):
        await store.write([a_run()])
    with pytest.raises(Unavailable, match="fsync failed"):
        await store.failure()


async def test_a_question_that_cannot_be_asked_is_refused(store: SurrealStore) -> None:
    with pytest.raises(Rejected, match="NUL"):
        await store.trail("a\0b")
