"""What publishers, connections and streams are refused, and what they are told."""

import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from nats.js.api import PubAck

from platform_nats import publisher
from platform_nats.announcer import Announcer
from platform_nats.assurance import Assurance
from platform_nats.connection import ConnectionSettings, connect
from platform_nats.consumer import Consumer
from platform_nats.delivery import Answer, Delivery
from platform_nats.envelope import Outgoing
from platform_nats.errors import (
    ConsumerGone,
    DuplicateId,
    NoServer,
    NotAuthorized,
    NotPermitted,
    NotPublished,
    StreamRefused,
)
from platform_nats.nkey import UserKey
from platform_nats.publisher import Publisher, Receipt
from platform_nats.streams import EVENTS, INTAKE, STATUS, StreamSettings, ensure
from support.broker import AUDIENCE, Broker, run_broker
from support.wait import until

pytestmark = pytest.mark.acceptance


class Counting(Publisher):
    """Tells how often it has tried."""

    attempts = 0

    async def _attempt(self, event: Outgoing, headers: Mapping[str, str]) -> PubAck:
        self.attempts += 1
        return await super()._attempt(event, headers)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process does nothing within the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path) as running:
        yield running


async def test_publishing_elsewhere_is_refused_by_name(broker: Broker) -> None:
    async with broker.publish_as(broker.other) as ours:
        await ours.publish("events.other.a", {})
        with pytest.raises(NotPermitted, match=r"events\.Repo"):
            await ours.publish("events.Repo", {})


async def test_a_publisher_cannot_listen_to_events(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    def denied() -> bool:
        said = [str(vars(record).get("why", "")).lower() for record in caplog.records]
        return any("permissions violation for subscription" in why for why in said)

    with caplog.at_level(logging.WARNING):
        async with broker.connect(broker.publisher) as connection:
            await connection.client.subscribe("events.>")

            await until(denied)


async def test_an_id_that_somebody_has_taken_is_an_error(broker: Broker) -> None:
    async with broker.publish_as(broker.other) as theirs:
        await theirs.publish("events.other.a", {}, event_id="order-1")

    async with broker.publish_as() as ours:
        with pytest.raises(DuplicateId, match="order-1"):
            await ours.publish("events.repo.push", {}, event_id="order-1")


async def test_a_subject_of_no_stream_is_an_error_with_a_remedy(broker: Broker) -> None:
    async with broker.publish_as(broker.daemon) as ours:
        with pytest.raises(NotPublished, match="no stream takes this subject"):
            await ours.publish("elsewhere.a", {})


async def test_a_stream_is_waited_for_when_its_server_was_away(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_ATTEMPT_S", 0.2)
    monkeypatch.setattr(publisher, "_NO_STREAM_S", 0.0)
    receipts: list[Receipt] = []

    async with broker.connect() as connection, anyio.create_task_group() as tasks:
        ours = Counting(connection, AUDIENCE)

        async def publish() -> None:
            receipts.append(await ours.publish("late.a", {}))

        with frozen(broker.running.pid):
            tasks.start_soon(publish)
            await until(lambda: ours.attempts > 1)
        before = ours.attempts
        await until(lambda: ours.attempts > before + 2)
        await connection.jetstream.add_stream(name="LATE", subjects=["late.>"])

    assert [each.stream for each in receipts] == ["LATE"]


async def test_an_event_too_large_for_the_stream_is_an_error(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        with pytest.raises(NotPublished, match="exceeds maximum"):
            await ours.publish("events.a", b"x" * 262_145)


async def test_an_unknown_key_is_told_from_an_absent_server(broker: Broker) -> None:
    seed = UserKey.generate().seed()

    with pytest.raises(NotAuthorized, match="add this public key"):
        async with connect(ConnectionSettings(url=broker.url, seed=seed)):
            pass
    with pytest.raises(NoServer, match="start one"):
        async with connect(
            ConnectionSettings(url="nats://127.0.0.1:1", seed=seed, first_connect_s=0.5)
        ):
            pass


async def test_three_instances_may_set_up_the_streams_at_once(broker: Broker) -> None:
    wanted = StreamSettings(max_ack_pending=99, events_bytes=64 << 20)

    async with broker.connect() as connection:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ensure, connection.jetstream, wanted)
        again = await ensure(connection.jetstream, wanted)
        consumer = await connection.jetstream.consumer_info(EVENTS, INTAKE)
        stream = await connection.jetstream.stream_info(EVENTS)

    assert again.touched == ()
    assert (consumer.config.max_ack_pending, stream.config.max_bytes) == (99, 64 << 20)


async def test_a_stream_in_the_way_is_named(broker: Broker) -> None:
    async with broker.connect() as connection:
        await connection.jetstream.add_stream(name="THEIRS", subjects=["orders.>"])
        with pytest.raises(StreamRefused, match=r"STRATUM_EVT.*overlap"):
            await ensure(connection.jetstream, StreamSettings(subjects=("orders.new",)))


async def test_lifecycle_facts_are_published_once(broker: Broker) -> None:
    async with broker.connect() as connection, anyio.create_task_group() as tasks:
        announcer = Announcer(connection)
        tasks.start_soon(announcer.run)
        for _ in range(2):
            announcer.announce("r1", "step.succeeded", {"node": "lint"})
        announcer.announce("r1", "run.completed", {})

        stream = connection.jetstream
        while (await stream.stream_info(STATUS)).state.messages != 2:
            await anyio.lowlevel.checkpoint()
        stored = await stream.get_last_msg(STATUS, "stratum.status.r1.step.succeeded")
        tasks.cancel_scope.cancel()

    assert stored.data == b'{"node":"lint"}'


async def test_a_deleted_consumer_is_an_error_with_a_remedy(broker: Broker) -> None:
    async def handle(_: Delivery) -> Answer:
        return Answer.DONE

    async def delete() -> None:
        async with broker.connect() as admin:
            await until_pulled(broker)
            await admin.jetstream.delete_consumer(EVENTS, INTAKE)

    async with broker.connect() as connection, anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        with pytest.raises(ConsumerGone, match="starting again creates it"):
            await Consumer(connection, EVENTS, INTAKE).serve(handle)


async def until_pulled(broker: Broker) -> None:
    async with broker.connect() as connection:
        while not (await connection.jetstream.consumer_info(EVENTS, INTAKE)).num_waiting:
            await anyio.lowlevel.checkpoint()


async def test_an_event_of_ours_that_is_stored_already_is_found_again(broker: Broker) -> None:
    async with broker.connect(broker.daemon) as connection:
        assurance = Assurance(connection, AUDIENCE, within_s=10)

        first = await assurance.publish("events.a", {"n": 1}, "run.completed", {})
        again = await assurance.publish("events.a", {"n": 1}, "run.completed", {})

    assert again == first


async def test_an_id_that_somebody_took_suppresses_nothing_of_ours(broker: Broker) -> None:
    async with broker.publish_as(broker.other) as theirs:
        taken = await theirs.publish("events.other.a", {}, event_id="run.completed")

    async with broker.connect(broker.daemon) as connection:
        assurance = Assurance(connection, AUDIENCE, within_s=10)
        ours = await assurance.publish("events.a", {}, "run.completed", {})
        again = await assurance.publish("events.a", {}, "run.completed", {})

    assert ours == again != taken.sequence
