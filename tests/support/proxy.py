"""A wire on loopback that can be slow, go dead without a word, or be torn."""

import math
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

_IN_FLIGHT = 256  # chunks on their way in one direction
_NO_LINGER = struct.pack("ii", 1, 0)  # closing resets
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)

_Chunk = tuple[float, bytes]


@dataclass(eq=False, slots=True)
class _Connection:
    """Both ends of one connection."""

    ends: tuple[SocketStream, SocketStream]
    alive: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def reset(self) -> None:
        for end in self.ends:
            raw = end.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.alive.cancel()


class Proxy:
    """Carries what clients of `port` send to the server's port, and back."""

    def __init__(self, server: int) -> None:
        self.port = 0
        self.latency_s = 0.0
        """How long each direction takes."""
        self.cut_after = math.inf
        """Bytes, of both directions, until every connection is reset; once."""
        self.resets = 0
        self._server = server
        self._passing = anyio.Event()
        self._passing.set()
        self._connections: set[_Connection] = set()

    def hold(self) -> None:
        """Let nothing through from now on, and say nothing of it: a black hole."""
        self._passing = anyio.Event()

    def heal(self) -> None:
        """Deliver what was held, and whatever comes."""
        self._passing.set()

    def lead_to(self, server: int) -> None:
        """Tear every connection; those that come lead to another port from now on."""
        self._server = server
        self.reset()

    def reset(self) -> None:
        """Tear every connection."""
        for each in tuple(self._connections):
            each.reset()
            self.resets += 1

    async def carry(self, client: SocketStream) -> None:
        """One connection, to its end."""
        async with client:
            await self._passing.wait()
            with suppress(OSError):
                async with await anyio.connect_tcp("127.0.0.1", self._server) as server:
                    await self._join(client, server)

    async def _join(self, client: SocketStream, server: SocketStream) -> None:
        connection = _Connection((client, server))
        self._connections.add(connection)
        try:
            with connection.alive:
                async with anyio.create_task_group() as tasks:
                    for source, sink in ((client, server), (server, client)):
                        give, take = anyio.create_memory_object_stream[_Chunk](_IN_FLIGHT)
                        tasks.start_soon(self._hear, source, give)
                        tasks.start_soon(self._say, take, sink, connection)
        finally:
            self._connections.discard(connection)

    async def _hear(self, source: SocketStream, give: MemoryObjectSendStream[_Chunk]) -> None:
        async with give:
            with suppress(*_GONE):
                while True:
                    chunk = await source.receive()
                    await give.send((anyio.current_time() + self.latency_s, chunk))

    async def _say(
        self,
        take: MemoryObjectReceiveStream[_Chunk],
        sink: SocketStream,
        connection: _Connection,
    ) -> None:
        async with take:
            with suppress(*_GONE):
                async for due, chunk in take:
                    await anyio.sleep_until(due)
                    await self._passing.wait()
                    await self._deliver(chunk, sink)
        connection.alive.cancel()

    async def _deliver(self, chunk: bytes, sink: SocketStream) -> None:
        if len(chunk) < self.cut_after:
            self.cut_after -= len(chunk)
            await sink.send(chunk)
            return
        part = chunk[: int(self.cut_after)]
        self.cut_after = math.inf
        await sink.send(part)
        self.reset()


@asynccontextmanager
async def before(server: int) -> AsyncIterator[Proxy]:
    """A wire to the server's port, with a port of its own."""
    proxy = Proxy(server)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        proxy.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django
        tasks.start_soon(listener.serve, proxy.carry)
        yield proxy
        tasks.cancel_scope.cancel()
