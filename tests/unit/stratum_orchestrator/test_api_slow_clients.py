"""Clients that take their time on purpose are cut off, wherever they dawdle."""

from contextlib import AsyncExitStack, suppress

import aiohttp
import anyio
import pytest
from anyio.abc import SocketStream

from stratum_orchestrator.api import limits
from support.desk import TOKEN, Served, served

READ_S, PAUSE_S, MOST = 0.2, 0.02, 500

COMMAND = (
    "POST /api/v1/runs/12/cancel HTTP/1.1\r\nHost: localhost\r\n"
    f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
)
FINE = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def trickle(stream: SocketStream, text: bytes) -> int:
    """Send byte by byte, for ever if let; how many were taken until the other end hung up."""
    for sent in range(MOST):
        try:
            await stream.send(text[sent % len(text) :][:1])
            with anyio.move_on_after(PAUSE_S):
                while True:
                    await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return sent
    return MOST


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param("", "GET /livez HTTP/1.1\r\nX: " + "a" * MOST, id="headers"),
        pytest.param("", "\r\n", id="empty lines"),
        pytest.param(FINE, "GET /livez HTTP/1.1\r\nX: " + "a" * MOST, id="later headers"),
        pytest.param(FINE, "\r\n", id="empty lines after a request"),
        pytest.param(COMMAND + "Content-Length: 1000\r\n\r\n", " ", id="body"),
        pytest.param(COMMAND + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", id="chunks"),
        pytest.param(
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
            " ",
            id="body that nobody wants",
        ),
        pytest.param(
            COMMAND.replace(TOKEN, "wrong") + "Content-Length: 1000\r\n\r\n",
            " ",
            id="body of a stranger",
        ),
        pytest.param(
            "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
            " ",
            id="body for nothing",
        ),
    ],
)
async def test_who_sends_byte_by_byte_is_cut_off(first: str, then: str) -> None:
    async with served(read_s=READ_S) as api:
        port = int(api.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            if first:
                await stream.send(first.encode())

            sent = await trickle(stream, then.encode())

        assert sent < MOST
        assert (await api.get("/livez")).status == 200


async def test_who_says_nothing_is_cut_off() -> None:
    async with served(read_s=READ_S) as api:
        port = int(api.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            assert [part async for part in stream] == []


async def test_connections_beyond_a_number_are_closed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 8)
    async with served(read_s=60) as api, AsyncExitStack() as stack:
        port = int(api.url.rpartition(":")[2])
        for _ in range(8):
            await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))

        async with await anyio.connect_tcp("127.0.0.1", port) as further:
            assert [part async for part in further] == []
        await stack.aclose()

        await until_answered(api)


async def until_answered(api: Served) -> None:
    """The closed connections have been noticed."""
    with anyio.fail_after(20):
        while True:
            with suppress(aiohttp.ClientError):
                assert (await api.get("/livez")).status == 200
                return
