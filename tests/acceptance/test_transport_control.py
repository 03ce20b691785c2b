"""Commands between instances: the broker's permission alone makes nobody an instance."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import anyio
import msgspec
import pytest
from nats.aio.msg import Msg

from platform_nats import control
from platform_nats.connection import Connection
from platform_nats.control import Said, Voice
from platform_nats.nkey import UserKey
from support.broker import Broker, run_broker

pytestmark = pytest.mark.acceptance

NOW = 1_750_000_000_000
MINUTES = 60 * 1000
TICKS = count()
OURS, COLLEAGUE, STRANGER = (UserKey.generate() for _ in range(3))


def voice(key: UserKey = OURS, *, audience: str = "test", now: int = NOW) -> Voice:
    return Voice(
        key=key,
        audience=audience,
        trusted=lambda: {OURS.public, COLLEAGUE.public},
        now_ms=lambda: now + next(TICKS),
    )


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path, streams=False) as running:
        yield running


@dataclass
class Instance:
    """One that obeys whatever counts."""

    obeyed: list[tuple[str, str]] = field(default_factory=list)

    async def obey(self, run: str, command: str) -> str:
        self.obeyed.append((run, command))
        return f"did {command}"


@asynccontextmanager
async def serving(broker: Broker, instance: Instance) -> AsyncIterator[Connection]:
    """The instance at work, and a connection of somebody who may use every subject."""
    async with (
        broker.connect() as its,
        broker.connect() as other,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(control.serve, its, voice(), instance.obey)
        with anyio.fail_after(20):
            while await control.ask(other, voice(COLLEAGUE), "r0", "wake") is None:
                pass
        instance.obeyed.clear()
        yield other
        tasks.cancel_scope.cancel()


async def said(connection: Connection, body: bytes) -> None:
    """Say something, and wait until it has been heard: messages keep their order."""
    await connection.client.publish(control.COMMAND, body)
    await control.ask(connection, voice(COLLEAGUE), "r0", "and then")


def told(whose: Voice, run: str = "r1", command: str = "cancel") -> Said:
    return whose.say("command", run, command)


async def test_what_a_colleague_signed_is_obeyed_and_answered(broker: Broker) -> None:
    instance = Instance()

    async with serving(broker, instance) as other:
        answer = await control.ask(other, voice(COLLEAGUE), "r1", "cancel")

    assert (answer, instance.obeyed) == ("did cancel", [("r1", "cancel")])


GOOD = told(voice(COLLEAGUE))
FORGERIES = {
    "unsigned": b'{"run": "r1", "command": "cancel"}',
    "no JSON": b"\xff{",
    "of a stranger": msgspec.json.encode(told(voice(STRANGER))),
    "in a colleague's name": msgspec.json.encode(
        msgspec.structs.replace(told(voice(STRANGER)), key=COLLEAGUE.public)
    ),
    "of another run": msgspec.json.encode(msgspec.structs.replace(GOOD, about="r2")),
    "of another command": msgspec.json.encode(msgspec.structs.replace(GOOD, text="abandon")),
    "of another deployment": msgspec.json.encode(told(voice(COLLEAGUE, audience="other"))),
    "of long ago": msgspec.json.encode(told(voice(COLLEAGUE, now=NOW - 6 * MINUTES))),
    "of times to come": msgspec.json.encode(told(voice(COLLEAGUE, now=NOW + 6 * MINUTES))),
    "an answer": msgspec.json.encode(voice(COLLEAGUE).say("answer", "r1", "cancel")),
}


async def test_whoever_may_use_the_subject_is_not_thereby_obeyed(broker: Broker) -> None:
    instance = Instance()

    async with serving(broker, instance) as other:
        for body in FORGERIES.values():
            await said(other, body)

    assert instance.obeyed == [("r0", "and then")] * len(FORGERIES)


async def test_what_was_obeyed_once_is_not_obeyed_again(broker: Broker) -> None:
    instance, command = Instance(), msgspec.json.encode(told(voice(COLLEAGUE)))

    async with serving(broker, instance) as other:
        for _ in range(3):
            await said(other, command)

    assert instance.obeyed.count(("r1", "cancel")) == 1


@pytest.mark.parametrize("whose", [STRANGER, COLLEAGUE], ids=["stranger", "to another command"])
async def test_an_answer_that_is_none_is_not_believed(broker: Broker, whose: UserKey) -> None:
    async def lie(message: Msg) -> None:
        await message.respond(msgspec.json.encode(voice(whose).say("answer", "x", "done")))

    async with broker.connect() as liar, broker.connect() as other:
        await liar.client.subscribe(control.COMMAND, cb=lie)
        await liar.client.flush()

        answer = await control.ask(other, voice(COLLEAGUE), "r1", "cancel")

    assert answer is None
