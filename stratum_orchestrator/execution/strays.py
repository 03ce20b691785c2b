"""What left its session: descendants that a signal to the process group does not reach.

`setsid` and Nushell's `job spawn` do that. The daemon is a child subreaper (prctl(2)), so such
a process becomes its child as soon as its parent is gone, and is found among its children.
"""

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import anyio

_PR_SET_CHILD_SUBREAPER = 36
_MOST = 1 << 16


def adopt() -> None:
    """Become the parent of every descendant that loses its own; OSError if refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "child subreaper")


async def sweep(belongs: Callable[[int], bool]) -> int:
    """End and reap every child that `belongs`, and their children, and return how many."""
    swept = 0
    while strays := [pid for pid in _children() if belongs(pid)]:
        for pid in strays:
            swept += await _end(pid)
    return swept


def _children() -> list[int]:
    """List the children of the main thread: the kernel gives orphans to that one."""
    pid = os.getpid()
    descriptor = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [int(each) for each in os.read(descriptor, _MOST).split()]
    finally:
        os.close(descriptor)


async def _end(pid: int) -> bool:
    """Kill and reap one child; False when another sweep was faster."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    return reap(pid)


def reap(pid: int) -> bool:
    """Take a dead child's status; False when it is not ours, or was taken already."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
