"""Leases, on the real engine: each lane has one holder, and others see how it is."""

from collections.abc import AsyncIterator

import pytest

from stratum_state.surreal import lease, migrations
from stratum_state.surreal.lease import Claimant
from support import engines
from support.engines import Faulty

ONE, TWO = Claimant("one", ttl_s=3600), Claimant("two", ttl_s=3600)
AT_ONCE = Claimant("three", ttl_s=0)


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        await migrations.migrate(engine)
        yield engine


async def test_who_comes_gets_the_lowest_lane_that_nobody_has(engine: Faulty) -> None:
    first = [await lease.claim(engine, ONE), await lease.claim(engine, TWO)]
    await lease.release(engine, "0", first[0].epoch)

    then = [await lease.claim(engine, TWO), await lease.claim(engine, TWO)]

    assert [each.lane for each in (*first, *then)] == ["0", "1", "0", "2"]


async def test_lanes_are_numbers_and_sorted_as_such(engine: Faulty) -> None:
    for _ in range(11):
        await lease.claim(engine, ONE)

    lanes = [each.lane for each in await lease.seen(engine)]

    assert lanes == [str(number) for number in range(11)]


async def test_everybody_sees_who_has_a_lane(engine: Faulty) -> None:
    held = await lease.claim(engine, ONE)

    (seen,) = await lease.seen(engine)

    assert (seen.lane, seen.epoch, seen.instance, seen.is_free) == ("0", 1, "one", False)
    assert 0 <= seen.age_ms < 3_600_000
    assert held.epoch == 1


async def test_of_two_who_saw_the_same_one_gets_the_lane(engine: Faulty) -> None:
    await lease.claim(engine, ONE)
    (seen,) = await lease.seen(engine)

    taken = [await lease.take(engine, seen, "three") for _ in range(2)]

    assert taken[0] is not None
    assert (taken[0].epoch, taken[1]) == (2, None)


async def test_an_owner_that_was_heard_of_meanwhile_keeps_its_lane(engine: Faulty) -> None:
    await lease.claim(engine, ONE)
    (seen,) = await lease.seen(engine)
    await engines.ask(engine, "UPDATE lease SET seq += 1, mark += 1")

    taken = await lease.take(engine, seen, "two")

    assert taken is None


async def test_a_lane_that_was_lost_cannot_be_given_back(engine: Faulty) -> None:
    lost = await lease.claim(engine, ONE)
    await lease.claim(engine, AT_ONCE)

    await lease.release(engine, "0", lost.epoch)

    (seen,) = await lease.seen(engine)
    assert (seen.instance, seen.is_free) == ("three", False)
