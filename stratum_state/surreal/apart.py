"""The engine in a process of its own: its threads and its memory end with it.

The engine leaves the threads of its pool behind, in whichever process it was opened, and cannot
be opened twice without twice as many. So a daemon opens it once in itself, and whatever comes
after that is a process, which ends when the daemon does, however that ends.
"""

import itertools
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL

import anyio
from anyio.abc import Process, SocketStream, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from stratum_state.errors import Unavailable
from stratum_state.surreal import cbor, replies, transport
from stratum_state.surreal.engine import HEAD, parts, row
from stratum_state.surreal.transport import SETTINGS, Embedded, Place

_PROGRAM = Path(__file__).with_name("engine.py")
_OPEN_S = 300.0
_END_S = 5.0
_ENDED = (
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


@dataclass(slots=True, eq=False)
class _Question:
    """What was asked and is not answered yet."""

    answer: bytes | None = None
    is_error: bool = False
    over: anyio.Event = field(default_factory=anyio.Event)


class Apart:
    """The process, and the line to it. `execute` and `close` are those of an engine."""

    def __init__(self, process: Process, line: SocketStream) -> None:
        self._process = process
        self._line = line
        self._turn = anyio.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, _Question] = {}

    async def open(self, place: Place) -> Embedded:
        """Open a store, once. Raises Unavailable; the process should be closed then."""
        try:
            with anyio.fail_after(_OPEN_S):
                await self.execute(place.url.encode())
                await self.execute(transport.choice(place))
        except (RuntimeError, replies.Ended, TimeoutError) as error:
            raise Unavailable(f"{place.url} cannot be opened: {error}") from error  # noqa: TRY003
        return Embedded(self, transport.folder_of(place.url))

    async def execute(self, request: bytes) -> bytes:
        """The answer as it came. Raises RuntimeError when there is an error instead."""
        return await self._ask(request)

    async def repeat(self, requests: Sequence[bytes]) -> None:
        """Do what was done elsewhere, one after the other.

        Raises SurrealError when something fails, and RuntimeError.
        """
        for each in parts(await self._ask(row(requests), is_row=True)):
            replies.results(cbor.loads(each))

    async def _ask(self, request: bytes, *, is_row: bool = False) -> bytes:
        number, question = next(self._numbers), _Question()
        self._asked[number] = question
        try:
            async with self._turn:
                await self._send(number, request, is_row)
            return await self._answer(question)
        finally:
            self._asked.pop(number, None)

    async def listen(self) -> None:
        """Hand out answers until the line is closed: not before, whoever is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._listen()

    async def _listen(self) -> None:
        heard = BufferedByteReceiveStream(self._line)
        try:
            while True:
                head = await heard.receive_exactly(HEAD.size)
                number, length, is_error = HEAD.unpack(head)
                answer = await heard.receive_exactly(length)
                question = self._asked.pop(number, None)
                if question:
                    question.answer, question.is_error = answer, is_error
                    question.over.set()
        except _ENDED:
            pass
        finally:
            for each in self._asked.values():
                each.over.set()
            await self._line.aclose()

    async def close(self) -> None:
        """Let it end, whatever it is at; its folder is closed then."""
        with anyio.CancelScope(shield=True):
            await self._line.aclose()
            with anyio.move_on_after(_END_S):
                await self._process.wait()
                return
            self._process.kill()
            await self._process.wait()

    async def _send(self, number: int, request: bytes, is_row: bool) -> None:  # noqa: FBT001
        whole = False
        try:
            await self._line.send(HEAD.pack(number, len(request), is_row) + request)
            whole = True
        except _ENDED:
            raise replies.Ended from None
        finally:
            if not whole:  # half a request would spoil what follows
                with anyio.CancelScope(shield=True):
                    await self._line.aclose()

    async def _answer(self, question: _Question) -> bytes:
        await question.over.wait()
        if question.answer is None:
            raise replies.Ended
        if question.is_error:
            raise RuntimeError(question.answer.decode(errors="replace"))
        return question.answer


async def start(lock: int, tasks: TaskGroup) -> Apart:
    """A process that opens a store when it is told to.

    It holds the lock's descriptor as long as it lives.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        started = await anyio.open_process(
            [sys.executable, "-P", str(_PROGRAM), str(theirs.fileno())],
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=None,
            env={**SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=(theirs.fileno(), lock),
            start_new_session=True,  # Ctrl-C is for us
        )
    made = Apart(started, await SocketStream.from_socket(ours))
    tasks.start_soon(made.listen)
    return made
