"""A line to a server that can be cut, closed, held back and garbled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketStream, TaskGroup

from support.ports import free_port

_FRAME_HEAD = 2  # bytes of a small web socket frame before its payload


class Line:
    """Passes bytes on between clients and the server's port, until told otherwise."""

    def __init__(self, target: int, tasks: TaskGroup) -> None:
        self.port = free_port()
        self._target = target
        self._tasks = tasks
        self._listening = anyio.CancelScope()
        self._connections: set[anyio.CancelScope] = set()
        self._held: anyio.Event | None = None
        self._garbles = False

    async def open(self) -> None:
        """Take connections, at the same port as before."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.port)
        self._listening = scope = anyio.CancelScope()

        async def listen() -> None:
            with scope:
                async with listener:
                    await listener.serve(self._pass_on)

        self._tasks.start_soon(listen)

    def close(self) -> None:
        """Cut, and take no connections any more."""
        self._listening.cancel()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        for each in self._connections:
            each.cancel()

    def hold(self) -> None:
        """Pass nothing on, but stay connected."""
        self._held = anyio.Event()

    def release(self) -> None:
        """Pass on what was held back."""
        if self._held is not None:
            self._held.set()
            self._held = None

    def garble_next(self) -> None:
        """Make the server's next message one that cannot be decoded."""
        self._garbles = True

    async def _pass_on(self, client: SocketStream) -> None:
        async with client, await anyio.connect_tcp("127.0.0.1", self._target) as server:
            with anyio.CancelScope() as scope:
                self._connections.add(scope)
                async with anyio.create_task_group() as group:
                    group.start_soon(self._pump, client, server, scope)
                    group.start_soon(self._pump, server, client, scope, True)  # noqa: FBT003
            self._connections.discard(scope)

    async def _pump(
        self,
        source: SocketStream,
        target: SocketStream,
        scope: anyio.CancelScope,
        comes_back: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        try:
            async for part in source:
                if self._held is not None:
                    await self._held.wait()
                await target.send(self._garbled(part) if comes_back else part)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        scope.cancel()

    def _garbled(self, part: bytes) -> bytes:
        if not self._garbles:
            return part
        self._garbles = False
        return part[:_FRAME_HEAD] + b"\xff" * 4 + part[_FRAME_HEAD + 4 :]


@asynccontextmanager
async def a_line(target: int) -> AsyncIterator[Line]:
    """A line to the port, open."""
    async with anyio.create_task_group() as tasks:
        line = Line(target, tasks)
        await line.open()
        yield line
        tasks.cancel_scope.cancel()
