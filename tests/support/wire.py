"""NATS in its own words, for publishers that no client library would let through."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from platform_nats.nkey import UserKey
from platform_nats.permissions import inbox

_AT_ONCE = 50
_LINE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes over the wire, as bytes that nobody has checked."""

    subject: bytes
    headers: bytes
    body: bytes

    def frame(self, reply: bytes) -> bytes:
        sizes = b"%d %d" % (len(self.headers), len(self.headers) + len(self.body))
        words = b" ".join((b"HPUB", self.subject, reply, sizes))
        return b"\r\n".join((words, self.headers + self.body, b""))


def header_block(headers: dict[str, str]) -> bytes:
    """Headers as every well-behaved client sends them."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode()


class Wire:
    """One connection."""

    def __init__(self, stream: ByteStream, key: UserKey) -> None:
        self._stream = stream
        self._read = BufferedByteReceiveStream(stream)
        self._key = key
        self._inbox = inbox(key.public).encode() + b".w"
        self._sent = 0

    async def greet(self) -> None:
        info = json.loads((await self._line()).removeprefix(b"INFO "))
        signature = base64.b64encode(self._key.sign(info["nonce"].encode())).decode()
        hello = {"headers": True, "nkey": self._key.public, "sig": signature, "protocol": 1}
        await self._stream.send(
            b"CONNECT %s\r\nSUB %s.* 1\r\n" % (json.dumps(hello).encode(), self._inbox)
        )

    async def publish(self, messages: Sequence[Message]) -> list[dict[str, object]]:
        """JetStream's answer to each: its `seq` in the stream, or an `error`."""
        found: dict[int, dict[str, object]] = {}
        first = self._sent
        for start in range(0, len(messages), _AT_ONCE):
            frames = []
            for each in messages[start : start + _AT_ONCE]:
                frames.append(each.frame(b"%s.%d" % (self._inbox, self._sent)))
                self._sent += 1
            await self._stream.send(b"".join(frames))
            while len(found) < self._sent - first:
                number, answer = await self._answer()
                found[number] = answer
        return [found[number] for number in range(first, self._sent)]

    async def is_refused(self, raw: bytes) -> bool:
        """Send what breaks the protocol; whether the server complains or hangs up."""
        await self._stream.send(raw + b"\r\nPING\r\n")
        try:
            while (line := await self._line()) != b"PONG":
                if line.startswith(b"-ERR"):
                    return True
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return True
        return False

    async def _answer(self) -> tuple[int, dict[str, object]]:
        while True:
            words = (await self._line()).split(b" ")
            if words[0] == b"PING":
                await self._stream.send(b"PONG\r\n")
            elif words[0] == b"MSG":
                body = await self._read.receive_exactly(int(words[-1]) + 2)
                return int(words[1].rpartition(b".")[2]), json.loads(body)
            elif words[0] == b"-ERR":
                raise ConnectionError(words)

    async def _line(self) -> bytes:
        return await self._read.receive_until(b"\r\n", _LINE)


@asynccontextmanager
async def wire(url: str, key: UserKey) -> AsyncIterator[Wire]:
    host, port = url.removeprefix("nats://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        connection = Wire(stream, key)
        await connection.greet()
        yield connection
