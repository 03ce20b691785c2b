"""Notices between instances, over a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from platform_nats import notices
from support.broker import Broker, run_broker

pytestmark = pytest.mark.acceptance


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path, streams=False) as running:
        yield running


async def test_every_instance_hears_that_something_is_on_record(broker: Broker) -> None:
    heard: list[str] = []
    both = anyio.Event()

    async with broker.connect() as one, broker.connect() as two, anyio.create_task_group() as t:

        async def hear(who: str) -> None:
            heard.append(who)
            if {"one", "two"} <= set(heard):
                both.set()

        for name, connection in (("one", one), ("two", two)):
            t.start_soon(notices.listen, connection, lambda name=name: hear(name))
        while not both.is_set():  # a notice before the subscription is nobody's
            await notices.tell(one, "sha256:x")
            with anyio.move_on_after(0.2):
                await both.wait()
        t.cancel_scope.cancel()

    assert set(heard) == {"one", "two"}


async def test_a_publisher_can_send_no_notices(broker: Broker) -> None:
    async with broker.connect(broker.publisher) as publisher, broker.connect() as one:
        subscription = await one.client.subscribe(notices.ACTIVATED)
        await one.client.flush()
        await notices.tell(publisher, "sha256:x")
        await notices.tell(one, "sha256:y")

        message = await subscription.next_msg(timeout=5)

    assert message.data == b"sha256:y"
