"""The event stream lets go of what was judged, and of nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from nats.js.api import StreamState

from platform_nats.connection import Connection
from platform_nats.nkey import UserKey
from platform_nats.permissions import User
from platform_nats.reach import Reach
from platform_nats.streams import EVENTS, INTAKE, StreamSettings, ensure
from support.broker import Broker, run_broker

pytestmark = pytest.mark.acceptance

LATER = 2**53
SMALL = StreamSettings(events_bytes=16 << 20)
LARGE = b"%250000d" % 0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path) as running:
        yield running


async def publish(broker: Broker, events: int, body: bytes = b"{}") -> None:
    async with broker.publish_as() as ours:
        for _ in range(events):
            await ours.publish("events.a", body)


async def judge(connection: Connection, events: int) -> None:
    """Let the intake have answered the next so many."""
    jetstream = connection.jetstream
    intake = await jetstream.pull_subscribe_bind(INTAKE, stream=EVENTS)
    left = events
    while left:
        for each in await intake.fetch(left):
            await each.ack_sync()
            left -= 1
    await intake.unsubscribe()


async def state(connection: Connection) -> StreamState:
    return (await connection.jetstream.stream_info(EVENTS)).state


async def test_what_was_judged_and_is_old_goes_and_nothing_that_waits(broker: Broker) -> None:
    await publish(broker, 9)
    async with broker.connect() as connection:
        await judge(connection, 5)
        reach = Reach(connection)

        young = await reach.shorten(0)
        gone = await reach.shorten(LATER)
        again = await reach.shorten(LATER)
        left = await state(connection)
        await judge(connection, 4)
        rest = await reach.shorten(LATER)

    assert (young, gone, again, rest) == (0, 5, 0, 4)
    assert (left.first_seq, left.messages) == (6, 4)


async def test_what_was_stored_since_a_time_stays(broker: Broker) -> None:
    async with broker.connect() as connection:
        await publish(broker, 6)
        await judge(connection, 6)
        fourth = await connection.jetstream.get_msg(EVENTS, 4)
        assert fourth.time is not None

        gone = await Reach(connection).shorten(int(fourth.time.timestamp() * 1000))

    assert gone <= 3  # several may have been stored within a millisecond


async def test_a_stream_that_fills_up_makes_room_and_reaches_a_plateau(broker: Broker) -> None:
    sizes = []
    async with broker.connect() as connection:
        await ensure(connection.jetstream, SMALL)
        for _ in range(4):  # more than it can hold, altogether
            await publish(broker, 30, LARGE)
            await judge(connection, 30)
            await Reach(connection).shorten(0)
            sizes.append((await state(connection)).bytes)

    assert max(sizes) < SMALL.events_bytes * 3 / 4


async def test_a_stream_of_an_earlier_version_keeps_events_by_age(broker: Broker) -> None:
    async with broker.connect() as connection:
        jetstream = connection.jetstream
        there = (await jetstream.stream_info(EVENTS)).config
        await jetstream.update_stream(replace(there, deny_purge=True))
        await publish(broker, 1)
        await judge(connection, 1)
        reach = Reach(connection)

        layout = await ensure(jetstream, SMALL)
        gone = await reach.shorten(LATER)
        again = await ensure(jetstream, SMALL)
        kept = (await jetstream.stream_info(EVENTS)).config

    assert (layout.touched, again.touched, gone) == ((EVENTS,), (), 0)
    assert kept.max_age == SMALL.events_age_s
    assert "delete the stream and start them again" in reach.obstacle


async def test_a_key_that_may_not_shorten_it_is_told_what_to_allow(broker: Broker) -> None:
    limited = UserKey.generate()
    asks = ("$JS.API.STREAM.INFO.>", "$JS.API.CONSUMER.INFO.>", "$JS.API.STREAM.MSG.GET.>")
    user = User(public=limited.public, publish=asks, subscribe=None)
    await broker.running.reload((*broker.users, user))
    await publish(broker, 1)
    async with broker.connect() as connection:
        await judge(connection, 1)

    async with broker.connect(limited) as connection:
        reach = Reach(connection)
        with anyio.fail_after(4):
            gone = await reach.shorten(LATER)
        impatient = connection.client.jetstream(timeout=2)
        layout = await ensure(impatient, SMALL)

    assert gone == 0
    assert "publish under $JS.API.STREAM.PURGE" in reach.obstacle
    assert ["max_bytes" in each for each in layout.obstacles] == [True]
    assert "allow it $JS.API.STREAM.UPDATE" in layout.obstacles[0]
