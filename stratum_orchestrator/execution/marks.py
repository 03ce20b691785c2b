"""What tells a step's processes from all others: a name and a number that they inherit.

The name is the environment variable `STRATUM_STEP`; it says which daemon started the process
for which step, and a later daemon finds orphans by it. The number is a resource limit that
Linux has not looked at since version 2.4.25, RLIMIT_LOCKS: unlike the environment it stays
when a descendant clears its environment or leaves its session, and even when it is dead and
not yet reaped. Neither is a wall against malice; a separate process namespace would be.
"""

import os
import resource
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

VARIABLE = "STRATUM_STEP"
RLIMIT_LOCKS = 10
"""From linux/asm-generic/resource.h; the standard library does not name it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One process's name and number."""

    name: str
    number: int


class Marks:
    """Gives out marks, and knows which are in use."""

    def __init__(self, token: str) -> None:
        """Take the data folder's token."""
        self._daemon = f"{token}:{os.getpid()}-{start_of(os.getpid())}:"
        # Some 30 random bits, so that two daemons in one process cannot mix up their steps.
        self._first = (1 << 62) | (secrets.randbits(30) << 32)
        self._serial = count(1)
        self._living: set[int] = set()

    @contextmanager
    def mark(self, step: str) -> Iterator[Mark]:
        """Give a mark that is in use until the block ends."""
        serial = next(self._serial)
        mark = Mark(f"{self._daemon}{step}:{serial}", self._first + serial)
        self._living.add(mark.number)
        try:
            yield mark
        finally:
            self._living.remove(mark.number)

    def stray(self, pid: int, mark: Mark) -> bool:
        """Whether the process belongs to this mark, or to one of ours that is used no more."""
        number = _number(pid)
        if number is not None and number > self._first and number < self._first + (1 << 32):
            return number == mark.number or number not in self._living
        return name_of(pid) == mark.name


def name_of(pid: int) -> str | None:
    """Return the name in a process's environment; None without one, or when it is gone."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{VARIABLE}=".encode()
    found = [each for each in environment.split(b"\0") if each.startswith(prefix)]
    return os.fsdecode(found[0].removeprefix(prefix)) if found else None


def start_of(pid: int) -> int | None:
    """Return a process's start in clock ticks since boot; None when it is gone.

    Together with its id it names a process for good.
    """
    return _stat(pid, 22)


def parent_of(pid: int) -> int | None:
    """Return the id of a process's parent; None when it is gone."""
    return _stat(pid, 4)


def _stat(pid: int, field: int) -> int | None:
    """Return a field of /proc/PID/stat, numbered as in proc_pid_stat(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    after_name = text.rpartition(")")[2].split()
    return int(after_name[field - 3])


def _number(pid: int) -> int | None:
    try:
        return resource.prlimit(pid, RLIMIT_LOCKS)[0]
    except OSError:  # gone, or somebody else's
        return None
