"""Several instances on one SurrealDB server: each run has one owner, whatever happens."""

from collections.abc import AsyncIterator, Sequence

import anyio
import pytest

from stratum_state import journal
from stratum_state.errors import BrokenChain, Fenced, NotOurs, Rejected, StateError, Taken
from stratum_state.model import Fact, Trail
from stratum_state.store import RunFilter
from stratum_state.surreal import SurrealStore
from stratum_state.surreal.retention import Collected
from support import bridge, engines, records
from support.bridge import Bridge, an_instance, expired
from support.records import a_run, a_step, a_verdict

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

SOON = 0.5  # a time-to-live, in seconds, that passes while a test waits
LATER = 4  # one for several that live at once: they may be kept from work for a while


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bridge]:
    async with bridge.running(tmp_path_factory.mktemp("server") / "database") as server:
        yield server


@pytest.fixture
def server(shared: Bridge) -> Bridge:
    shared.use_new_database()
    return shared


async def outcome(store: SurrealStore, facts: Sequence[Fact]) -> type[StateError] | None:
    try:
        await store.write(facts)
    except StateError as error:
        return type(error)
    return None


async def test_each_instance_has_a_lane_of_its_own(server: Bridge) -> None:
    async with an_instance(server, "one") as one, an_instance(server, "two") as two:
        assert (one.lanes, two.lanes) == (("0",), ("1",))


async def test_instances_that_start_together_get_different_lanes(server: Bridge) -> None:
    lanes: list[str] = []
    all_there = anyio.Event()

    async def start(name: str) -> None:
        async with an_instance(server, name) as store:
            lanes.append(store.lane)
            if len(lanes) == 6:
                all_there.set()
            await all_there.wait()

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(start, f"instance-{number}")

    assert sorted(lanes) == ["0", "1", "2", "3", "4", "5"]


async def test_a_lane_that_was_given_back_is_taken_first(server: Bridge) -> None:
    async with an_instance(server, "one"), an_instance(server, "two"):
        pass

    async with an_instance(server, "three") as three:
        assert three.lane == "0"


async def test_an_event_starts_one_run_however_many_instances_it_reaches(
    server: Bridge,
) -> None:
    ends: list[type[StateError] | None] = []

    async def admit(store: SurrealStore, number: int) -> None:
        run = a_run(f"e{number}")
        ends.append(await outcome(store, [run, a_verdict(run, sequence=number)]))

    async with (
        an_instance(server, "one") as one,
        an_instance(server, "two") as two,
        an_instance(server, "three") as three,
    ):
        async with anyio.create_task_group() as group:
            for number in range(1, 41):
                for store in (one, two, three):
                    group.start_soon(admit, store, number)
        owners = {await one.owner(a_run(f"e{number}").id) for number in range(1, 41)}

    assert ends.count(None) == 40
    assert ends.count(Taken) == 80
    assert {each.lane for each in owners if each} <= {"0", "1", "2"}


async def test_a_run_is_moved_by_its_owner_alone(server: Bridge) -> None:
    run = a_run()
    async with an_instance(server, "one") as one, an_instance(server, "two") as two:
        await one.write([run, a_verdict(run)])

        with pytest.raises(NotOurs, match="belongs to lane 0"):
            await two.write([records.running(run)])

        assert await two.trail(run.id) == Trail(run=run)
        owner = await two.owner(run.id)

        unknown = await two.owner(a_run("unknown").id)

    assert owner == ("0", "one", False)
    assert unknown is None


async def test_a_silent_instance_is_fenced_by_whoever_adopts_its_lane(server: Bridge) -> None:
    run, step = a_run(), a_step(a_run())
    async with an_instance(server, "two", SOON) as two:
        async with an_instance(server, "one", ttl_s=3600) as one:
            await one.write([run, a_verdict(run)])
            await one.write([records.running(run), step])

            (lane,) = await expired(two)
            trails = await two.adopt(lane)
            ends = [await outcome(one, [records.succeeded(step)]) for _ in range(3)]
            with pytest.raises(Fenced):
                await one.failure()

        assert trails == [Trail(run=records.running(run), steps=(step,))]
        assert ends == [Fenced] * 3
        await two.write([records.succeeded(step)])
        await two.write([records.completed(records.running(run))])
        lines = await two.journal(run.id)

    journal.verify(lines)
    assert [line.n for line in lines] == [1, 2, 3, 4, 5]


async def test_of_a_paused_writers_queue_nothing_is_written(server: Bridge) -> None:
    runs = [a_run(f"e{number}") for number in range(300)]
    ends: list[type[StateError] | None] = []

    async def write(store: SurrealStore, facts: Sequence[Fact]) -> None:
        ends.append(await outcome(store, facts))

    async with an_instance(server, "two", SOON) as two:
        async with an_instance(server, "one", ttl_s=3600) as one:
            await one.write([runs[0]])
            (lane,) = await expired(two)
            adopted = await two.adopt(lane)
            async with anyio.create_task_group() as group:
                for run in runs[1:]:
                    group.start_soon(write, one, [run])

        assert [trail.run for trail in adopted] == [runs[0]]
        assert set(ends) == {Fenced}
        assert await two.inbox([run.identity for run in runs[1:]]) == {}


async def test_of_two_survivors_one_gets_the_lane(server: Bridge) -> None:
    run = a_run()
    async with (
        an_instance(server, "two", LATER) as two,
        an_instance(server, "three", LATER) as three,
        an_instance(server, "one", ttl_s=3600) as one,
    ):
        await one.write([run])
        lane = one.lane  # the others may seem silent, too, when nobody gets to work
        with anyio.fail_after(30):
            while lane not in await two.expired():  # noqa: ASYNC110 - in the database
                await anyio.sleep(0.05)
        trails: list[Sequence[Trail]] = []

        async def adopt(store: SurrealStore) -> None:
            trails.append(await store.adopt(lane))

        async with anyio.create_task_group() as group:
            group.start_soon(adopt, two)
            group.start_soon(adopt, three)

        assert sorted(trails, key=len) == [(), [Trail(run=run)]]
        assert (lane in two.lanes) is not (lane in three.lanes)


async def test_what_a_stopped_instance_left_is_adopted_at_once(server: Bridge) -> None:
    left, over = a_run("e1"), a_run("e2")
    async with an_instance(server, "two", ttl_s=3600) as two:
        async with an_instance(server, "one", ttl_s=3600) as one:
            await one.write([left, over])
            await one.write([records.running(over)])
            await one.write([records.completed(records.running(over))])

        (lane,) = await two.expired()
        trails = await two.adopt(lane)

        assert trails == [Trail(run=left)]
        assert await two.owner(left.id) == (lane, "two", True)


async def test_an_adopted_lane_is_given_back_when_its_runs_are_over(server: Bridge) -> None:
    run = a_run()
    async with an_instance(server, "two", ttl_s=3600) as two:
        async with an_instance(server, "one", ttl_s=3600) as one:
            await one.write([run])
        await two.adopt("1")
        await two.release_idle()
        held = two.lanes
        await two.write([records.running(run)])
        await two.write([records.completed(records.running(run))])

        await two.release_idle()

        assert held == ("0", "1")
        assert two.lanes == ("0",)
        assert await two.expired() == []
        assert await outcome(two, [records.compensating(run)]) is NotOurs


async def test_facts_of_runs_in_several_lanes_are_not_kept_together(server: Bridge) -> None:
    ours, theirs = a_run("e1"), a_run("e2")
    async with an_instance(server, "two", ttl_s=3600) as two:
        async with an_instance(server, "one", ttl_s=3600) as one:
            await one.write([theirs])
        await two.adopt("1")
        await two.write([ours])

        end = await outcome(two, [records.running(ours), records.running(theirs)])

        assert end is Rejected
        assert {trail.run for trail in await two.unfinished()} == {ours, theirs}


async def test_what_is_old_goes_from_our_lanes_and_from_those_that_nobody_has(
    server: Bridge,
) -> None:
    runs = [a_run(f"e{number}") for number in range(3)]
    async with an_instance(server, "one") as one, an_instance(server, "two") as two:
        async with an_instance(server, "three") as three:
            for store, run in zip((one, two, three), runs, strict=True):
                await store.write([run, records.running(run)])
                await store.write([records.completed(records.running(run))])

        counted = await one.collect(2**53, 100, dry_run=True)
        collected = await one.collect(2**53, 100)
        left = await one.runs(RunFilter(), after=None, limit=9)

        assert counted == collected
        assert collected.runs == 2
        assert left == [records.completed(records.running(runs[1]))]
        assert one.lanes == ("0",)
        assert await one.expired() == []
    async with bridge.connected(server) as connection:
        assert await engines.chains_hold(connection)


async def test_instances_that_tidy_up_together_do_not_get_in_each_others_way(
    server: Bridge,
) -> None:
    runs = [a_run(f"e{number}") for number in range(60)]
    collected: list[Collected] = []

    async def tidy_up(store: SurrealStore) -> None:
        while any(gone := await store.collect(2**53, 10)):
            collected.append(gone)

    async with an_instance(server, "one") as one, an_instance(server, "two") as two:
        for number, run in enumerate(runs, start=1):
            store = (one, two)[number % 2]
            begun = records.running(run)
            await store.write([run, begun, a_verdict(run, sequence=number)])
            await store.write([records.completed(begun)])
        async with anyio.create_task_group() as group:
            group.start_soon(tidy_up, one)
            group.start_soon(tidy_up, two)

        assert sum(each.runs for each in collected) == 60
        assert await one.runs(RunFilter(), after=None, limit=9) == []
        assert await one.verdicts(after=None, limit=9) == []
    async with bridge.connected(server) as connection:
        assert await engines.chains_hold(connection)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE lease SET seq -= 1, mark -= 1", "it went back"),
        ("DELETE lease", "its lease is not there any more"),
    ],
)
async def test_a_store_that_lost_something_is_not_written_to_any_more(
    server: Bridge, harm: str, said: str
) -> None:
    async with an_instance(server, "one", ttl_s=3600) as one:
        await one.write([a_run("e1")])
        async with bridge.connected(server) as connection:
            await connection.call(harm, {})

        with pytest.raises(BrokenChain, match=said):
            await one.write([a_run("e2")])
        with pytest.raises(BrokenChain):
            await one.failure()
