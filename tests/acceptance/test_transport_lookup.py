"""Looking at single messages of the stream, over a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from platform_nats.errors import BrokerAway
from platform_nats.lookup import stored_ms
from platform_nats.nkey import UserKey
from platform_nats.permissions import User
from support.broker import Broker, run_broker
from support.wait import until

pytestmark = pytest.mark.acceptance


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path) as running:
        yield running


async def test_a_message_is_found_while_the_server_takes_other_users(broker: Broker) -> None:
    found: list[int | None] = []
    users = list(broker.users)

    async with broker.publish_as() as ours, broker.connect() as connection:
        sequence = (await ours.publish("events.a", {})).sequence

        async def look() -> None:
            while True:
                found.append(await stored_ms(connection, sequence))

        async with anyio.create_task_group() as lookers:
            for _ in range(4):
                lookers.start_soon(look)
            for _ in range(12):  # JetStream answers nobody for a moment, each time
                users.append(User.publisher(UserKey.generate().public, ("events.a",)))
                before = len(found)
                await broker.running.reload(users)
                await until(lambda before=before: len(found) > before)  # type: ignore[misc]
            lookers.cancel_scope.cancel()

    assert None not in found


async def test_what_is_not_there_is_not_found(broker: Broker) -> None:
    async with broker.connect() as connection:
        found = [await stored_ms(connection, each) for each in (0, 1, 10**15 - 1)]

    assert found == [None, None, None]


async def test_a_broker_that_answers_nobody_is_away(broker: Broker) -> None:
    async with broker.connect() as connection:
        await broker.running.stop()

        with pytest.raises(BrokerAway) as away:
            await stored_ms(connection, 1)

    assert "try again" in str(away.value)
