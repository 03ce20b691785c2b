"""What processes of one account cannot read of each other: environment, memory, descriptors.

Each test has a counterpart in which the same look succeeds, so that it is the protection that
is seen and not a look that never works. Run as root, they show that root is no exception.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from stratum_graph.definitions.landlock import Rules
from stratum_orchestrator.execution.spawn import OPEN_GATE, Program, spawn
from support.daemon import REPOSITORY
from support.levels import needs_landlock

pytestmark = pytest.mark.acceptance

SECRET = "KEY=hvs.SECRET"  # noqa: S105 - opens nothing
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc", "/dev", sys.prefix, sys.base_prefix)
_LOOK = f"""
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
seen = []
def environ():
    return {SECRET!r} in open(f"/proc/{{pid}}/environ", errors="replace").read()
def memory():
    with open(f"/proc/{{pid}}/maps") as maps:
        start = next(int(x.split("-")[0], 16) for x in maps if "[stack]" in x)
    os.pread(os.open(f"/proc/{{pid}}/mem", os.O_RDONLY), 1, start)
    return True
def trace():
    if libc.ptrace(16, pid, 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, 0, 0)
    return True
for look in (environ, memory, trace):
    try:
        seen += [look.__name__] if look() else []
    except OSError:
        pass
print(*seen)
"""


def rules() -> Rules:
    """A fence of one's own, which lets even /proc be read."""
    return Rules(read=("/proc",), execute=tuple(p for p in _SYSTEM if Path(p).exists()))


async def started(
    argv: Sequence[str], fence: Rules | None, env: dict[str, str]
) -> tuple[int, int]:
    """Start a process as steps are started; its id and where it writes."""
    (theirs, gate), (out, mouth) = os.pipe(), os.pipe()
    program = Program(argv=argv, env=env, cwd="/", ceilings={}, rules=fence)
    pid, pidfd = await spawn(program, (theirs, mouth, mouth))
    os.write(gate, OPEN_GATE)
    for each in (theirs, mouth, pidfd, gate):
        os.close(each)
    return pid, out


async def what_is_seen_of(pid: int, fence: Rules | None) -> list[str]:
    looker, out = await started([sys.executable, "-I", "-c", _LOOK, str(pid)], fence, {})
    with os.fdopen(out) as said:
        seen = await anyio.to_thread.run_sync(said.read)
    os.waitpid(looker, 0)  # noqa: ASYNC222 - it has closed its stdout
    return seen.split()


@contextmanager
def ended(pid: int, out: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(out)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "fenced", [pytest.param(True, marks=needs_landlock), pytest.param(False)]
)
async def test_a_fence_of_ones_own_is_a_wall_between_siblings(*, fenced: bool) -> None:
    fence = rules() if fenced else None
    env = dict([SECRET.split("=")], PATH="/usr/bin:/bin")
    pid, out = await started(["/bin/sh", "-c", "echo up; exec sleep 60"], fence, env)

    with ended(pid, out):
        await anyio.wait_readable(out)
        await anyio.lowlevel.checkpoint()

        found = await what_is_seen_of(pid, fence)

    assert found == [] if fenced else "environ" in found


@pytest.mark.parametrize("hides", [True, False])
async def test_nobody_looks_into_a_daemon_that_hides(*, hides: bool) -> None:
    hide = "from stratum_orchestrator.execution.privileges import hide; hide()"
    body = f"{hide if hides else ''}\nprint('up', flush=True)\nimport time; time.sleep(60)"
    env = {"PYTHONPATH": str(REPOSITORY), **dict([SECRET.split("=")])}
    pid, out = await started([sys.executable, "-c", body], None, env)

    with ended(pid, out):
        await anyio.wait_readable(out)

        found = await what_is_seen_of(pid, None)

    assert found == [] if hides else "environ" in found
