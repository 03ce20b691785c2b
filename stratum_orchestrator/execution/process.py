"""One process and everything that it starts: when this returns, all of it is gone."""

import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from logging import getLogger
from typing import Self

import anyio
from anyio import Semaphore

from stratum_orchestrator.crashpoints import Passed
from stratum_orchestrator.execution.errors import starting
from stratum_orchestrator.execution.pipes import Head, Pipes, Tail
from stratum_orchestrator.execution.spawn import Program, spawn
from stratum_orchestrator.execution.strays import sweep
from stratum_orchestrator.execution.usage import Peak, used
from stratum_orchestrator.ports import Resources

log = getLogger(__name__)

_SIGNALLED = 128
"""What a program that only waits for another adds to the number of the signal that ended it."""
LINGER_S = 0.5
"""How long background children may go on writing after their script has ended."""
LOOKS_S = (0.05, 1.0)
"""Until the first look at the memory of a process, and between two at most."""
KILL_S = 10
"""Seconds within which the kernel must have ended what was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A program, what to tell it and how long to bear it."""

    program: Program
    stdin: bytes
    output: int
    """Most bytes of stdout."""
    stderr: int
    """Bytes that are kept of the end of stderr; the others are counted."""
    timeout_s: float
    grace_s: float
    """Seconds between TERM and KILL."""
    stray: Callable[[int], bool]
    """Whether a child of the daemon is a descendant of this program."""
    passed: Passed
    """Is told when it is `spawned`, `fed`, and `heard` to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a process went, before anybody judges what it said."""

    status: int
    """Exit code, or the negative number of the signal that ended it."""
    timed_out: bool
    overflowed: bool
    """It wrote more than it may to stdout."""
    stdout: bytes
    stderr: bytes
    """The end of it."""
    stderr_lost: int
    """Bytes before that end."""
    resources: Resources


class Leader:
    """The process itself, leader of its session and group; let go with the block."""

    def __init__(self, pid: int, pidfd: int, *, wrapped: bool) -> None:
        """Take a child that nobody else reaps, at its start."""
        self._pid = pid
        self._wrapped = wrapped
        self.pidfd = pidfd
        self._began = anyio.current_time()
        self._reaped = False
        self._peak = Peak(0 if wrapped else pid)
        self.status = -int(signal.SIGKILL)
        self.resources = Resources(cpu_ms=0, max_rss=0, wall_ms=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pidfd)
        if not self._reaped:
            log.error("killed process does not end", extra={"pid": self._pid})

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def look(self) -> None:
        """See how much memory it has had so far."""
        self._peak.look()

    def reap(self) -> None:
        """Take its status; from now on the id of its group may be somebody else's."""
        _, status, usage = os.wait4(self._pid, os.WNOHANG)
        self._reaped = True
        code = os.waitstatus_to_exitcode(status)
        self.status = _unwrapped(code) if self._wrapped else code
        wall_s = anyio.current_time() - self._began
        self.resources = used(usage, wall_s, self._peak.bytes)

    def _signal(self, number: signal.Signals) -> None:
        if self._reaped:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)


async def carry(task: Task, spawners: Semaphore) -> Course:
    """Run a program to its end, whatever that takes, and return how it went.

    `spawners` bounds how many are being started at a time. CannotStart when it does not start.
    When cancelled, the whole tree of processes is ended first.
    """
    stdout, stderr = Head(task.output), Tail(task.stderr)
    with (
        Pipes(task.stdin, stdout, stderr) as pipes,
        await _start(task.program, pipes.theirs, spawners) as leader,
    ):
        timed_out = not await _live(task, pipes, leader, stdout)
        task.passed("heard")
    kept, lost = stderr.kept()
    return Course(
        status=leader.status,
        timed_out=timed_out,
        overflowed=stdout.overflowed,
        stdout=bytes(stdout.kept),
        stderr=kept,
        stderr_lost=lost,
        resources=leader.resources,
    )


async def _start(
    program: Program, streams: tuple[int, int, int], spawners: Semaphore
) -> Leader:
    async with spawners:
        # A start under way is never abandoned: nobody would end what it starts.
        with anyio.CancelScope(shield=True):
            with starting():
                pid, pidfd = await spawn(program, streams)
    return Leader(pid, pidfd, wrapped=program.wrapped)


async def _live(task: Task, pipes: Pipes, leader: Leader, stdout: Head) -> bool:
    """See the process through, and end what is left of it; whether it ended in time."""
    try:
        task.passed("spawned")
        pipes.begin(leader.pidfd)
        task.passed("fed")
        in_time = await _watch(
            pipes, leader, lambda: stdout.overflowed or pipes.gone(), task.timeout_s
        )
        if stdout.overflowed:
            leader.kill()
        elif in_time:
            await pipes.until(pipes.dry, LINGER_S)
    finally:
        with anyio.move_on_after(task.grace_s + KILL_S, shield=True):
            await _end(task, pipes, leader)
    return in_time


async def _watch(
    pipes: Pipes, leader: Leader, done: Callable[[], bool], within_s: float
) -> bool:
    """Serve the streams until `done`, and look now and then at how large the process is."""
    give_up = anyio.current_time() + within_s
    pause_s, longest_s = LOOKS_S
    while True:
        left_s = give_up - anyio.current_time()
        if await pipes.until(done, min(pause_s, left_s)) or left_s <= pause_s:
            return done()
        leader.look()
        pause_s = min(2 * pause_s, longest_s)


async def _end(task: Task, pipes: Pipes, leader: Leader) -> None:
    """End the group: TERM and grace while the leader still runs, KILL in any case; sweep."""
    if not pipes.gone():
        leader.terminate()
        await pipes.until(pipes.gone, task.grace_s)
    leader.kill()
    await pipes.until(pipes.gone, math.inf)
    leader.reap()
    await sweep(task.stray)
    await pipes.until(pipes.dry, LINGER_S)


def _unwrapped(code: int) -> int:
    """Turn an exit code as shells give it into what the kernel would have said."""
    number = code - _SIGNALLED
    return -number if number in set(signal.Signals) else code
