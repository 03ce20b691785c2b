"""The nats-server that we run: its life, its death, and what hostile publishers send it."""

import base64
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from platform_nats.consumer import Consumer
from platform_nats.delivery import Answer, Delivery
from platform_nats.errors import NotAuthorized, ServerFailed, ServerInUse
from platform_nats.nkey import UserKey
from platform_nats.permissions import User
from platform_nats.server import serve
from platform_nats.server_config import ServerSettings
from platform_nats.streams import EVENTS, INTAKE
from support.broker import Broker, run_broker
from support.wait import until

pytestmark = pytest.mark.acceptance
PROJECT = Path(__file__).parents[2]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with run_broker(tmp_path) as running:
        yield running


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_killing_the_server_in_mid_stream_loses_no_acknowledged_event(
    broker: Broker,
) -> None:
    stored: set[str] = set()
    handled: set[str] = set()
    last = "e-39"

    async def handle(event: Delivery) -> Answer:
        handled.add(event.headers["Nats-Msg-Id"])
        return Answer.DONE

    async def publish() -> None:
        async with broker.publish_as() as ours:
            for number in range(40):
                receipt = await ours.publish("events.a", {}, event_id=f"e-{number}")
                stored.add(receipt.event_id)
                if number in (10, 25):
                    os.kill(broker.running.pid, signal.SIGKILL)

    async with broker.connect() as connection, anyio.create_task_group() as tasks:
        consumer = Consumer(connection, EVENTS, INTAKE)
        tasks.start_soon(broker.running.watch)
        tasks.start_soon(consumer.serve, handle)
        tasks.start_soon(publish)
        await until(lambda: last in stored and handled >= stored, within=50)
        consumer.stop()
        tasks.cancel_scope.cancel()

    assert handled == stored == {f"e-{number}" for number in range(40)}


async def test_a_connection_whose_end_was_given_up_before_closes_nevertheless(
    broker: Broker,
) -> None:
    ended = False
    async with anyio.create_task_group() as tasks:

        async def close() -> None:
            nonlocal ended
            async with broker.connect() as connection:
                writer = connection.client._transport._io_writer  # noqa: SLF001 - nats-py's
                writer._protocol._get_close_waiter(writer).cancel()  # noqa: SLF001
            ended = True

        tasks.start_soon(close)
    assert ended  # without that a task group would take it for its own end, and say nothing


async def test_a_server_that_dies_under_a_handler_does_not_cancel_it(broker: Broker) -> None:
    async with broker.publish_as() as ours:
        await ours.publish("events.a", {})
    ended: list[bool] = []

    async with broker.connect() as connection, anyio.create_task_group() as tasks:
        consumer = Consumer(connection, EVENTS, INTAKE)

        async def handle(event: Delivery) -> Answer:
            if not event.redelivered:
                before = broker.running.pid
                os.kill(before, signal.SIGKILL)
                await until(lambda: broker.running.pid != before and connection.is_up)
            ended.append(event.redelivered)
            consumer.stop()
            return Answer.DONE

        tasks.start_soon(broker.running.watch)
        await consumer.serve(handle)
        tasks.cancel_scope.cancel()

    assert False in ended


async def test_a_server_that_was_killed_comes_back_on_the_same_ports(broker: Broker) -> None:
    before, url, monitor = broker.running.pid, broker.url, broker.running.monitor_url

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(broker.running.watch)
        os.kill(before, signal.SIGKILL)
        await until(lambda: broker.running.pid != before)
        async with broker.connect() as connection:
            info = await connection.jetstream.stream_info(EVENTS)
        tasks.cancel_scope.cancel()

    assert (broker.url, broker.running.monitor_url) == (url, monitor)
    assert info.config.name == EVENTS


async def test_the_server_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    async with serve(tmp_path, []) as running:
        pid = running.pid
        assert is_alive(pid)

    assert not is_alive(pid)


DAEMON = """
import anyio, pathlib, sys
from platform_nats.server import serve

async def main() -> None:
    async with serve(pathlib.Path(sys.argv[1]), []) as running:
        print(running.pid, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


async def test_the_server_of_a_killed_daemon_makes_room_for_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DAEMON, str(tmp_path)]
    async with await anyio.open_process(command, cwd=PROJECT, stderr=None) as daemon:
        assert daemon.stdout is not None
        orphan = int(await daemon.stdout.receive())
        daemon.kill()

    async with serve(tmp_path, []) as running:
        assert running.pid != orphan


LATE = """#!/bin/sh
touch {seen}
while kill -0 {parent} 2>/dev/null; do sleep 0.01; done
exec {setpriv} "$@"
"""
"""Comes to the point only when the daemon is dead, as on a busy machine."""


async def test_a_daemon_killed_while_its_server_begins_leaves_none_behind(
    tmp_path: Path,
) -> None:
    tools, seen, folder = tmp_path / "tools", tmp_path / "seen", tmp_path / "nats"
    tools.mkdir()
    late = tools / "setpriv"
    text = LATE.format(seen=seen, parent="$PPID", setpriv=shutil.which("setpriv"))
    late.write_text(text)
    late.chmod(0o755)
    command = [sys.executable, "-c", DAEMON, str(folder)]
    path = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}  # noqa: TID251 - handed on

    async with await anyio.open_process(command, cwd=PROJECT, env=path, stderr=None) as daemon:
        await until(seen.exists)
        daemon.kill()

    async with serve(folder, []) as running:
        assert is_alive(running.pid)


async def test_one_folder_serves_one_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_nats.server_lock._WAIT_S", 0.1)

    async with serve(tmp_path, []):
        with pytest.raises(ServerInUse, match=f"process {os.getpid()}"):
            async with serve(tmp_path, []):
                pass


async def test_a_port_in_use_is_told_with_the_end_of_the_log(
    broker: Broker, tmp_path: Path
) -> None:
    taken = int(broker.url.rsplit(":", 1)[1])

    with pytest.raises(ServerFailed, match="address already in use"):
        async with serve(tmp_path / "second", [], ServerSettings(port=taken)):
            pass


async def test_users_come_and_go_while_the_others_stay_connected(broker: Broker) -> None:
    guest = UserKey.generate()

    async with broker.connect() as daemon:
        await broker.running.reload(
            [*broker.users, User.publisher(guest.public, ("events.g",))]
        )
        async with broker.publish_as(guest) as ours:
            await ours.publish("events.g", {})
            await broker.running.reload(broker.users)
            with pytest.raises(NotAuthorized):
                await ours.publish("events.g", {})
        stays = (daemon.is_up, daemon.reconnects)

    assert stays == (True, 0)


HOSTILE = {
    "a status in a header": b"HPUB events.x 25 25\r\nNATS/1.0\r\nStatus: 404\r\n\r\n\r\n",
    "a status line": b"HPUB events.x 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n",
    "a status that is no text": b"HPUB events.x 16 16\r\nNATS/1.0 \xff\xff\xff\r\n\r\n\r\n",
    "headers of one byte": b"HPUB events.x 1 1\r\nN\r\n",
    "headers that are none": b"HPUB events.x 12 12\r\n" + bytes(12) + b"\r\n",
    "a header that is no text": b"HPUB events.x 19 19\r\nNATS/1.0\r\nX: \xff\xfe\r\n\r\n\r\n",
    "a subject that is no text": b"PUB events.\xff 0\r\n\r\n",
    "a subject with a vertical tab": b"PUB events.\x0bx 0\r\n\r\n",
    "a subject with a form feed": b"PUB events.\x0cx 0\r\n\r\n",
    "a subject with a carriage return": b"PUB events.a\rb 0\r\n\r\n",
    "a subject with a null": b"PUB events.\x00 0\r\n\r\n",
}


@pytest.fixture
async def all_hostile(broker: Broker) -> Broker:
    """Send everything over a plain socket, as the publisher that may."""
    host, port = broker.url.removeprefix("nats://").split(":")
    key = broker.publisher
    async with await anyio.connect_tcp(host, int(port)) as socket:
        info = json.loads((await socket.receive()).removeprefix(b"INFO "))
        signature = base64.b64encode(key.sign(info["nonce"].encode())).decode()
        hello = {"headers": True, "nkey": key.public, "sig": signature, "protocol": 1}
        await socket.send(b"CONNECT " + json.dumps(hello).encode() + b"\r\n")
        for each in HOSTILE.values():
            await socket.send(each)
        await socket.send(b"PING\r\n")
        while b"PONG" not in await socket.receive():
            pass
    return broker


async def test_hostile_bytes_reach_the_handler_as_legible_events(all_hostile: Broker) -> None:
    events: list[Delivery] = []

    async with all_hostile.connect() as connection:
        consumer = Consumer(connection, EVENTS, INTAKE)

        async def handle(event: Delivery) -> Answer:
            events.append(event)
            if len(events) == len(HOSTILE):
                consumer.stop()
            return Answer.REFUSED

        await consumer.serve(handle)
        reconnects = connection.reconnects

    assert reconnects == 0
    assert [event.sequence for event in events] == list(range(1, len(HOSTILE) + 1))
    assert all(event.subject.isprintable() for event in events)
    assert all(value.isprintable() for event in events for value in event.headers.values())
