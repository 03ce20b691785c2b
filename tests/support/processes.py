"""What this process has started, opened and not yet let go."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stratum_orchestrator.execution.marks import name_of

_GONE = (FileNotFoundError, ProcessLookupError)  # processes and threads may end meanwhile


def marked(token: str) -> set[int]:
    """Return the ids of all processes of steps that were started with a token."""
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())
    return {pid for pid in pids if (name_of(pid) or "").startswith(f"{token}:")}


def children() -> set[int]:
    """Return the ids of this process's children, dead and not reaped ones included."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(*_GONE):
            found.update(int(each) for each in (task / "children").read_text().split())
    return found


def descriptors() -> dict[int, str]:
    """Return what is open, by number."""
    found = {}
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except FileNotFoundError:  # what listed the folder
            continue
    return found


def spawn_threads() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    return [name for each in tasks if (name := _comm(each)) == "spawn"]


def program(pid: int) -> str:
    """What the process runs; nothing when it is gone."""
    return _comm(Path(f"/proc/{pid}"))


def _comm(folder: Path) -> str:
    with suppress(*_GONE):
        return (folder / "comm").read_text().strip()
    return ""


def descendants(pid: int) -> Sequence[int]:
    """The processes below one, at any depth."""
    found: list[int] = []
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*_GONE):  # a thread that ends hides no child of another one
                for child in map(int, (task / "children").read_text().split()):
                    found += [child, *descendants(child)]
    return found
