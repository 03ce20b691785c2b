"""The three pipes between the daemon and a process, and what is kept of what flows."""

import os
import select
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol, Self

import anyio

from stratum_orchestrator.execution.errors import starting
from stratum_orchestrator.execution.spawn import OPEN_GATE

_CHUNK = 1 << 16


class Sink(Protocol):
    """Where a stream goes."""

    def add(self, chunk: bytes) -> None: ...


class Head:
    """Keeps the first bytes; when there is one too many, none."""

    def __init__(self, limit: int) -> None:
        """Take the most bytes to keep."""
        self._limit = limit
        self.kept = bytearray()
        self.overflowed = False

    def add(self, chunk: bytes) -> None:
        if self.overflowed:
            return
        self.kept += chunk
        if len(self.kept) > self._limit:
            self.overflowed = True
            self.kept.clear()


class Tail:
    """Keeps the last bytes and counts the others."""

    def __init__(self, limit: int) -> None:
        """Take the most bytes to keep."""
        self._limit = limit
        self._kept = bytearray()
        self._seen = 0

    def add(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        self._kept += chunk
        if len(self._kept) > 2 * self._limit:  # rarely, so that the cost stays linear
            del self._kept[: -self._limit]

    def kept(self) -> tuple[bytes, int]:
        """Return the last bytes, and how many there were before them."""
        end = bytes(self._kept[-self._limit :])
        return end, self._seen - len(end)


class Pipes:
    """Stdin, stdout and stderr of one process, served by whoever waits for something.

    All of a process that can become ready is watched through one epoll descriptor. So the
    wait for its end, for a late writer or for a grace to pass is one and the same loop, which
    feeds and drains by the way, and needs no task, let alone three, beside it.
    """

    def __init__(self, stdin: bytes, stdout: Sink, stderr: Sink) -> None:
        """Open the three; CannotStart when the machine has no descriptors left."""
        # In one write: each one wakes the process, on the core that we need ourselves.
        self._rest = memoryview(OPEN_GATE + stdin)
        self._sinks: dict[int, Sink] = {}
        self._open: set[int] = set()
        self._watched: set[int] = set()
        self._pidfd = -1
        self._gone = False
        with starting(), ExitStack() as undo:
            undo.callback(lambda: self._close(*self._open))
            their_in, self._stdin = self._pipe()
            self._stdout, their_out = self._pipe()
            self._stderr, their_err = self._pipe()
            self._epoll = select.epoll()
            undo.pop_all()
        self.theirs = (their_in, their_out, their_err)
        """The process's ends."""
        self._sinks = {self._stdout: stdout, self._stderr: stderr}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(*self._open)
        self._epoll.close()

    def begin(self, pidfd: int) -> None:
        """Let the process run and watch our ends; close its own, or there is no end of file."""
        self._close(*self.theirs)
        self._pidfd = pidfd
        self._watch(pidfd, select.EPOLLIN)
        for ours in self._sinks:
            os.set_blocking(ours, False)
            self._watch(ours, select.EPOLLIN)
        os.set_blocking(self._stdin, False)
        self._feed()
        if self._stdin in self._open:
            self._watch(self._stdin, select.EPOLLOUT)

    def gone(self) -> bool:
        """Whether the process has ended; what it started may live on."""
        return self._gone

    def dry(self) -> bool:
        """Whether every writer is gone and all that they wrote has been read."""
        return self._open.isdisjoint(self._sinks)

    async def until(self, done: Callable[[], bool], within_s: float) -> bool:
        """Serve the streams until `done`, for so many seconds at most; whether it is."""
        if done():
            return True
        with anyio.move_on_after(within_s):
            while not done():
                await anyio.wait_readable(self._epoll)
                for ready, _ in self._epoll.poll(0):
                    self._serve(ready)
        return done()

    def _serve(self, ready: int) -> None:
        if ready in self._sinks:
            self._drain(ready)
        elif ready == self._stdin:
            self._feed()
        elif ready == self._pidfd:
            self._gone = True
            self._ignore(ready)

    def _drain(self, descriptor: int) -> None:
        chunk = os.read(descriptor, _CHUNK)
        if chunk:
            self._sinks[descriptor].add(chunk)
        else:
            self._close(descriptor)

    def _feed(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._stdin, self._rest) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            pass  # a script that does not want its input is none the worse for it
        self._close(self._stdin)

    def _watch(self, descriptor: int, events: int) -> None:
        self._epoll.register(descriptor, events)
        self._watched.add(descriptor)

    def _ignore(self, descriptor: int) -> None:
        if descriptor in self._watched:
            self._watched.remove(descriptor)
            self._epoll.unregister(descriptor)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._open.update(ends)
        return ends

    def _close(self, *descriptors: int) -> None:
        """Close what is still open.

        Closing alone would not end a watch: a process that is being spawned at this moment
        holds a copy of everything, and epoll goes by what is behind the descriptor.
        """
        for each in descriptors:
            self._ignore(each)
            if each in self._open:
                self._open.remove(each)
                os.close(each)
