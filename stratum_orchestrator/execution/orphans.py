"""What a killed daemon left running: found by its marker and ended at the next start."""

import os
import signal
from collections import defaultdict
from logging import getLogger

import anyio
from anyio import to_thread

from stratum_orchestrator.execution.marks import name_of, parent_of, start_of
from stratum_orchestrator.execution.strays import reap

log = getLogger(__name__)

_END_S = 10


async def end_orphans(token: str) -> int:
    """End what daemons with this token left when they died, and return how many processes.

    Steps of a living daemon are left alone. Returns when all have ended, or after ten seconds.
    """
    ended = 0
    with anyio.move_on_after(_END_S) as patience:
        while orphans := await to_thread.run_sync(_orphans, token):
            for pid, start in orphans:
                ended += await _end(pid, start)
    if patience.cancelled_caught:
        log.error("orphaned processes do not end", extra={"processes": len(orphans)})
    if ended:
        log.warning("orphaned processes ended", extra={"processes": ended})
    return ended


def _orphans(token: str) -> list[tuple[int, int]]:
    """List the marked processes and their descendants, each as id and start."""
    children: dict[int | None, list[int]] = defaultdict(list)
    found: list[int] = []
    for pid in (int(each) for each in os.listdir("/proc") if each.isdecimal()):  # noqa: PTH208
        children[parent_of(pid)].append(pid)
        if _orphaned(name_of(pid), token):
            found.append(pid)
    for pid in found:  # grows while it is walked
        found += [child for child in children[pid] if child not in found]
    return [(pid, start) for pid in found if (start := start_of(pid)) is not None]


def _orphaned(name: str | None, token: str) -> bool:
    if name is None or not name.startswith(f"{token}:"):
        return False
    daemon, _, start = name.split(":")[1].partition("-")
    return not (daemon.isdecimal() and str(start_of(int(daemon))) == start)


async def _end(pid: int, start: int) -> bool:
    """Kill one process, unless its id has become another's, and see it end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if start_of(pid) != start:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        await anyio.wait_readable(descriptor)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    reap(pid)  # in case it has become our child
    return True
