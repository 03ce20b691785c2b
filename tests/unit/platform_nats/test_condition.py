"""What a server says of its own condition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream

from platform_nats.condition import complaint


@asynccontextmanager
async def a_monitor(body: bytes) -> AsyncIterator[str]:
    """The URL of one that answers so."""

    async def answer(client: SocketStream) -> None:
        async with client:
            await client.receive()
            await client.send(
                b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body
            )

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, answer)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


async def test_a_sound_server_has_no_complaint() -> None:
    async with a_monitor(b'{"status": "ok"}') as monitor:
        assert await complaint(monitor) == ""


async def test_a_server_that_cannot_write_says_why() -> None:
    async with a_monitor(b'{"status": "unavailable", "error": "disk full"}') as monitor:
        assert await complaint(monitor) == "disk full"


async def test_what_is_no_answer_is_no_complaint() -> None:
    async with a_monitor(b"what?") as monitor:
        assert await complaint(monitor) == ""
    assert await complaint(monitor) == ""
