"""Events over a real nats-server: published, taken, answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from nats.aio.msg import Msg

from platform_nats.consumer import Consumer
from platform_nats.credit import Credit
from platform_nats.delivery import Answer, Delivery
from platform_nats.envelope import Envelope, Limits, open_envelope
from platform_nats.streams import EVENTS, INTAKE, StreamSettings, ensure
from support.broker import AUDIENCE, Broker, run_broker
from support.wait import until

pytestmark = pytest.mark.acceptance


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path) as running:
        yield running


class Intake:
    """Answers what it is told to, and stops after so many events."""

    def __init__(self, consumer: Consumer, *answers: Answer) -> None:
        self.consumer = consumer
        self.answers = list(answers)
        self.events: list[Delivery] = []

    async def handle(self, event: Delivery) -> Answer:
        self.events.append(event)
        answer = self.answers.pop(0)
        if not self.answers:
            self.consumer.stop()
        return answer


async def take(broker: Broker, *answers: Answer) -> list[Delivery]:
    async with broker.connect() as connection:
        consumer = Consumer(connection, EVENTS, INTAKE)
        intake = Intake(consumer, *answers)
        await consumer.serve(intake.handle)
    return intake.events


def opened(event: Delivery, broker: Broker) -> Envelope:
    return open_envelope(event, AUDIENCE, {broker.publisher.public}.__contains__, Limits())


async def left(broker: Broker) -> int:
    """Count what is neither acknowledged nor terminated."""
    async with broker.connect() as connection:
        info = await connection.jetstream.consumer_info(EVENTS, INTAKE)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def test_a_published_event_arrives_as_it_was_signed(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        receipt = await ours.publish("events.repo.push", {"ref": "main"}, event_id="e-1")

    [event] = await take(broker, Answer.DONE)

    assert (receipt.stream, receipt.sequence, receipt.duplicate) == (EVENTS, 1, False)
    assert (event.subject, event.body) == ("events.repo.push", b'{"ref":"main"}')
    assert opened(event, broker).event_id == "e-1"
    assert await left(broker) == 0


async def test_a_cloudevent_arrives_with_its_attributes_signed(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", b"{}", event_id="e-1", cloudevent=True)

    [event] = await take(broker, Answer.DONE)

    assert opened(event, broker).headers["ce-id"] == "e-1"


async def test_later_brings_the_same_event_again(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", {})

    first, second = await take(broker, Answer.LATER, Answer.DONE)

    assert (first.redelivered, second.redelivered) == (False, True)
    assert (first.sequence, first.stored_ms) == (second.sequence, second.stored_ms)


async def test_a_refused_event_does_not_come_again(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", {})

    await take(broker, Answer.REFUSED)

    assert await left(broker) == 0


async def test_a_bug_met_by_one_event_does_not_stop_the_others(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.bad", {})
        await ours.publish("events.good", {})

    async with broker.connect() as connection:
        consumer = Consumer(connection, EVENTS, INTAKE)
        subjects: list[str] = []

        async def handle(event: Delivery) -> Answer:
            subjects.append(event.subject)
            if event.subject == "events.bad" and not event.redelivered:
                raise RuntimeError("bug")
            if event.redelivered:
                consumer.stop()
            return Answer.DONE

        await consumer.serve(handle)

    assert sorted(subjects) == ["events.bad", "events.bad", "events.good"]


async def test_no_more_is_in_hand_than_the_credit_allows(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        for _ in range(6):
            await ours.publish("events.a", {})

    async with broker.connect() as connection:
        consumer, credit = Consumer(connection, EVENTS, INTAKE), Credit(2)
        seen, most, go_on = 0, 0, anyio.Event()

        async def handle(_: Delivery) -> Answer:
            nonlocal seen, most
            seen, most = seen + 1, max(most, consumer.in_hand)
            await go_on.wait()
            return Answer.DONE

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: consumer.serve(handle, slots=credit))
            await until(lambda: seen == 2)
            credit.set(3)
            await until(lambda: seen == 3)
            go_on.set()
            await until(lambda: seen == 6)
            consumer.stop()

    assert most == 3
    assert await left(broker) == 0


async def test_withdrawn_credit_sends_events_to_another_instance(broker: Broker) -> None:
    async with broker.connect() as connection, broker.publish_as() as ours:
        busy, credit = Consumer(connection, EVENTS, INTAKE), Credit(4)
        mine: list[Delivery] = []

        async def handle(event: Delivery) -> Answer:
            mine.append(event)
            return Answer.DONE

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: busy.serve(handle, slots=credit))
            await ours.publish("events.first", {})
            await until(lambda: len(mine) == 1)
            credit.set(0)
            await ours.publish("events.second", {})
            [event] = await take(broker, Answer.DONE)
            busy.stop()

    assert event.subject == "events.second"
    assert len(mine) == 1


async def test_stopping_finishes_what_is_in_hand(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", {})

    async with broker.connect() as connection:
        consumer = Consumer(connection, EVENTS, INTAKE)

        async def handle(_: Delivery) -> Answer:
            consumer.stop()
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            return Answer.DONE

        await consumer.serve(handle)

    assert await left(broker) == 0


async def test_a_cancelled_instance_hands_its_event_over_at_once(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", {})

    async with broker.connect() as connection:
        consumer = Consumer(connection, EVENTS, INTAKE)
        async with anyio.create_task_group() as tasks:

            async def handle(_: Delivery) -> Answer:
                tasks.cancel_scope.cancel()
                await anyio.sleep_forever()
                return Answer.DONE

            tasks.start_soon(consumer.serve, handle)
    [event] = await take(broker, Answer.DONE)

    assert event.redelivered


async def test_an_event_in_hand_for_longer_than_the_wait_is_not_delivered_again(
    broker: Broker,
) -> None:
    beats: list[bytes] = []

    async def listen(message: Msg) -> None:
        beats.append(message.data)

    async with broker.connect() as connection, broker.publish_as() as ours:
        await ensure(connection.jetstream, StreamSettings(ack_wait_s=0.6))
        await connection.client.subscribe(f"$JS.ACK.{EVENTS}.{INTAKE}.>", cb=listen)
        await ours.publish("events.a", {})
        consumer = Consumer(connection, EVENTS, INTAKE, ack_wait_s=0.6)
        seen: list[Delivery] = []

        async def handle(event: Delivery) -> Answer:
            seen.append(event)
            await until(lambda: beats.count(b"+WPI") >= 5)
            consumer.stop()
            return Answer.DONE

        await consumer.serve(handle)

    assert len(seen) == 1
