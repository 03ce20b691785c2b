"""The three pipes between the daemon and a process, and what is kept of what flows."""

import os
from collections.abc import Callable
from typing import Protocol, Self

import anyio

_CHUNK = 1 << 16


class Sink(Protocol):
    """Where a stream goes."""

    def add(self, chunk: bytes) -> None: ...


class Head:
    """Keeps the first bytes; one byte too many is an overflow, told once."""

    def __init__(self, limit: int, on_overflow: Callable[[], object]) -> None:
        """Take the most bytes to keep and what to call when there are more."""
        self._limit = limit
        self._on_overflow = on_overflow
        self.kept = bytearray()
        self.overflowed = False

    def add(self, chunk: bytes) -> None:
        if self.overflowed:
            return
        self.kept += chunk
        if len(self.kept) > self._limit:
            self.overflowed = True
            self.kept.clear()
            self._on_overflow()


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
        """Return the last bytes, from the start of a line where one is, and the number lost."""
        end = bytes(self._kept[-self._limit :])
        if self._seen > len(end):
            end = end[end.find(b"\n") + 1 :]
        return end, self._seen - len(end)


class Pipes:
    """Stdin, stdout and stderr of one process; all that is open is closed with the block."""

    def __init__(self) -> None:
        """Open the three; OSError when the machine has no descriptors left."""
        self._open: set[int] = set()
        try:
            their_in, self._stdin = self._pipe()
            self._stdout, their_out = self._pipe()
            self._stderr, their_err = self._pipe()
        except OSError:
            self._close(*self._open)
            raise
        self.theirs = (their_in, their_out, their_err)
        """The process's ends."""
        self._flow = anyio.CancelScope(shield=True)
        self._dry = anyio.Event()
        for ours in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(ours, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(*self._open)

    def close_theirs(self) -> None:
        """Close the process's ends: there is no end of file while we hold one."""
        self._close(*self.theirs)

    async def flow(self, stdin: bytes, stdout: Sink, stderr: Sink) -> None:
        """Feed and drain until every writer is gone or `stop` is called.

        Cancellation does not reach it: a process that is being ended may still have to write.
        """
        with self._flow:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drain, self._stdout, stdout)
                tasks.start_soon(_drain, self._stderr, stderr)
                await self._feed(stdin)
        self._dry.set()

    async def dry(self, within_s: float) -> None:
        """Wait until all that was written has been read, or for so many seconds."""
        with anyio.move_on_after(within_s):
            await self._dry.wait()

    def stop(self) -> None:
        self._flow.cancel()

    async def _feed(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                except BlockingIOError:
                    await anyio.wait_writable(self._stdin)
        except BrokenPipeError:
            pass  # a script that does not want its input is none the worse for it
        finally:
            self._close(self._stdin)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._open.update(ends)
        return ends

    def _close(self, *descriptors: int) -> None:
        for each in descriptors:
            if each in self._open:
                self._open.remove(each)
                os.close(each)


async def _drain(descriptor: int, sink: Sink) -> None:
    while True:
        await anyio.wait_readable(descriptor)
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            continue
        if not chunk:
            return
        sink.add(chunk)
