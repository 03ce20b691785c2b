"""Starting a process with posix_spawn, off the event loop and without holding the GIL.

The standard library's ways hold the GIL until the child has called exec, which stops the
event loop for milliseconds on busy cores, and cannot put a fence around the child without
forking. Here the C library is called through ctypes, in a thread of its own: Landlock binds
a thread for ever, so the thread that was fenced is thrown away.
See posix_spawn(3) and <https://sourceware.org/glibc/manual/latest/html_node/Creating-a-Process.html>.
"""

import _thread
import asyncio
import ctypes
import os
import resource
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EAGAIN

import anyio

from stratum_graph.definitions import landlock
from stratum_orchestrator.execution.privileges import shed

_SET_DEFAULT_SIGNALS, _SET_SIGNAL_MASK, _NEW_SESSION = 0x04, 0x08, 0x80
_FIRST_TO_CLOSE = 3
_PR_SET_NAME = 15

OPEN_GATE = b"\n"
"""What a process waits for on its stdin before it becomes the program."""
_GATE = ("/bin/sh", "-c", 'read -r gate && exec "$@"', "sh")
"""Limits are set from outside, and a busy machine can let a process run for long before its
parent: children forked in that time would have none. So a shell, which POSIX forbids to read
beyond the line, waits at the gate in the program's place, under the program's id."""

_libc = ctypes.CDLL(None)


# Opaque to us, with room to spare: glibc and musl need 80, 336 and 128 bytes.
_Actions = ctypes.c_long * 32
_Attributes = ctypes.c_long * 64
_Signals = ctypes.c_long * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to execute, where, with which limits and behind which fence."""

    argv: Sequence[str]
    """The first is the binary's absolute path."""
    env: Mapping[str, str] = field(repr=False)
    """Secrets among them."""
    cwd: str
    ceilings: Mapping[int, int]
    """`resource.RLIMIT_*` to the limit."""
    rules: landlock.Rules | None
    """None leaves the process unfenced."""
    wrapped: bool = False
    """Whether it is another program that starts ours in namespaces, and tells its end."""


async def spawn(program: Program, streams: tuple[int, int, int]) -> tuple[int, int]:
    """Start `program` as leader of a new session; return its id and a pidfd for it.

    `streams` become its stdin, stdout and stderr; it inherits no other descriptor. OSError
    when the binary cannot be executed, a path of the rules is missing, or the machine has
    nothing left to start it with. It runs once it has read `OPEN_GATE`; should the daemon
    die before, it never does. Not to be cancelled: shield it.
    """
    outcome: list[tuple[int, int] | OSError] = []
    ready, loop = anyio.Event(), asyncio.get_running_loop()

    def work() -> None:
        _libc.prctl(_PR_SET_NAME, b"spawn")
        outcome.append(_try(program, streams))
        # `anyio.from_thread` would hold this thread until the event loop has answered.
        loop.call_soon_threadsafe(ready.set)

    try:
        # `threading.Thread` would hold the event loop until the thread has begun.
        _thread.start_new_thread(work, ())
    except RuntimeError:  # "can't start new thread"
        raise OSError(EAGAIN, "no thread is left to start a process from") from None
    await ready.wait()
    [result] = outcome
    if isinstance(result, OSError):
        raise result
    return result


def _try(program: Program, streams: tuple[int, int, int]) -> tuple[int, int] | OSError:
    try:
        shed()
        if program.rules is not None:
            landlock.restrict(program.rules)
        pid = _start(program, streams)
        return pid, _hold(pid, program.ceilings)
    except OSError as error:
        return error


def _hold(pid: int, ceilings: Mapping[int, int]) -> int:
    """Limit the process, which waits at its gate, and return its pidfd."""
    try:
        for kind, wanted in ceilings.items():
            resource.prlimit(pid, kind, _within_ours(kind, wanted))
        return os.pidfd_open(pid)
    except OSError:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _within_ours(kind: int, wanted: int) -> tuple[int, int]:
    _, most = resource.getrlimit(kind)
    if most == resource.RLIM_INFINITY:
        most = wanted + 1
    # The hard limit on CPU time kills at once; one second below it, the end has a name.
    hard = wanted + 1 if kind == resource.RLIMIT_CPU else wanted
    return min(wanted, most), min(hard, most)


def _start(program: Program, streams: tuple[int, int, int]) -> int:
    pid = ctypes.c_int()
    with _actions(program.cwd, streams) as actions:
        error = _libc.posix_spawn(
            ctypes.byref(pid),
            os.fsencode(_GATE[0]),
            actions,
            _ATTRIBUTES,
            _strings((*_GATE, *program.argv)),
            _strings([f"{name}={value}" for name, value in program.env.items()]),
        )
    if error:
        raise OSError(error, os.strerror(error), _GATE[0])
    return pid.value


@contextmanager
def _actions(cwd: str, streams: tuple[int, int, int]) -> Iterator[ctypes.Array[ctypes.c_long]]:
    actions = _Actions()
    _libc.posix_spawn_file_actions_init(actions)
    try:
        for target, source in enumerate(streams):
            _libc.posix_spawn_file_actions_adddup2(actions, source, target)
        if hasattr(_libc, "posix_spawn_file_actions_addclosefrom_np"):  # glibc 2.34
            _libc.posix_spawn_file_actions_addclosefrom_np(actions, _FIRST_TO_CLOSE)
        _libc.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(cwd))
        yield actions
    finally:
        _libc.posix_spawn_file_actions_destroy(actions)


def _strings(items: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    encoded = [os.fsencode(item) for item in items]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _attributes() -> ctypes.Array[ctypes.c_long]:
    attributes, defaults, nothing = _Attributes(), _Signals(), _Signals()
    _libc.sigemptyset(nothing)
    _libc.sigemptyset(defaults)
    for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        _libc.sigaddset(defaults, ctypes.c_int(each))
    flags = _SET_DEFAULT_SIGNALS | _SET_SIGNAL_MASK | _NEW_SESSION
    _libc.posix_spawnattr_init(attributes)
    _libc.posix_spawnattr_setflags(attributes, ctypes.c_short(flags))
    _libc.posix_spawnattr_setsigdefault(attributes, defaults)
    _libc.posix_spawnattr_setsigmask(attributes, nothing)
    return attributes


_ATTRIBUTES = _attributes()
