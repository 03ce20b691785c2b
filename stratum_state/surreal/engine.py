"""SurrealDB's engine as a process of its own, which ends with whoever asks it.

    python -P engine.py SOCKET

Frames go both ways over the socket: number, length, a mark, and the bytes of a request or an
answer. The first request says which store to open, the first answer that it is open. A marked
request is a row of them, each behind its length, which are done one after the other, and
answered likewise; a marked answer is an error. This is run as a file, and takes the extension
without its package, whose import takes longer than opening a store.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from importlib import util
from pathlib import Path
from typing import Protocol, cast

import anyio
import anyio.to_thread
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

HEAD = struct.Struct(">QI?")  # a busy store asks four billion times within weeks
_LENGTH = struct.Struct(">I")
_PR_SET_DUMPABLE = 4
_ENDED = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)


def row(parts: Iterable[bytes]) -> bytes:
    """Several as one."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in parts)


def parts(row: bytes) -> Iterator[bytes]:
    """What is in a row."""
    at = 0
    while at < len(row):
        (length,) = _LENGTH.unpack_from(row, at)
        at += _LENGTH.size + length
        yield row[at - length : at]


class Engine(Protocol):
    """The extension's own class for an open store."""

    async def execute(self, request: bytes) -> bytes: ...


class Desk:
    """Takes requests, several at once, and answers each when it is done."""

    def __init__(self, line: SocketStream) -> None:
        self._line = line
        self._heard = BufferedByteReceiveStream(line)
        self._turn = anyio.Lock()
        self._engine: Engine | None = None

    async def serve(self) -> None:
        """Open a store and answer for it, until whoever asks has gone."""
        try:
            async with anyio.create_task_group() as tasks:
                await self._answer(*await self._hear())
                while self._engine:
                    tasks.start_soon(self._answer, *await self._hear())
        except* _ENDED:
            pass

    async def _hear(self) -> tuple[int, bytes, bool]:
        number, length, is_row = HEAD.unpack(await self._heard.receive_exactly(HEAD.size))
        return number, await self._heard.receive_exactly(length), is_row

    async def _answer(self, number: int, request: bytes, is_row: bool) -> None:  # noqa: FBT001
        is_error = False
        try:
            if self._engine is None:
                answer = await self._open(request.decode())
            elif is_row:
                answer = row([await self._engine.execute(each) for each in parts(request)])
            else:
                answer = await self._engine.execute(request)
        except RuntimeError as error:
            answer, is_error = str(error).encode(), True
        async with self._turn:
            await self._line.send(HEAD.pack(number, len(answer), is_error) + answer)

    async def _open(self, url: str) -> bytes:
        self._engine = await anyio.to_thread.run_sync(opened, url)
        return b""


def opened(url: str) -> Engine:
    """Open the store at the URL. Raises RuntimeError."""
    package = util.find_spec("surrealdb")
    folders = package.submodule_search_locations if package else None
    for file in Path((folders or ["."])[0]).glob("_surrealdb_ext.*"):
        found = util.spec_from_file_location("_surrealdb_ext", file)
        if found and found.loader:
            extension = util.module_from_spec(found)
            found.loader.exec_module(extension)
            return cast("Engine", extension.AsyncEmbeddedDB(url))
    raise RuntimeError("there is no surrealdb with an engine")  # noqa: TRY003


async def main(descriptor: int) -> None:
    """Serve whoever has the other end of the socket."""
    async with await SocketStream.from_socket(socket.socket(fileno=descriptor)) as line:
        await Desk(line).serve()


def hide() -> None:
    """Leave no dump, and let no other process of the user look in: as the daemon does."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    hide()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is for the daemon
    anyio.run(main, int(sys.argv[1]))
    os._exit(0)  # the interpreter's own way out may abort while the engine is at work
