"""What a process takes of the machine, read from /proc(5)."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look at a process."""

    rss: int
    """Bytes of resident memory, those of the database's engine among them."""
    descriptors: int
    threads: int
    children: int
    """But the engine, if that has moved out."""
    zombies: int
    """Children that ended and that nobody has reaped."""
    cpu_s: float
    """Its own time on the processors, in user and kernel mode."""
    children_cpu_s: float
    """That of its children that were reaped."""


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def vitals(pid: int) -> Vitals:
    """Look at a process; ProcessLookupError or FileNotFoundError when it is gone."""
    stat = _stat(pid)
    every = _children(pid)
    engines = [child for child in every if _is_engine(child)]
    children = [child for child in every if child not in engines]
    return Vitals(
        rss=(int(stat[21]) + sum(_resident(each) for each in engines)) * _PAGE,
        descriptors=_descriptors(pid),
        threads=int(stat[17]),
        children=len(children),
        zombies=sum(1 for child in children if _is_zombie(child)),
        cpu_s=(int(stat[11]) + int(stat[12])) / _TICKS,
        children_cpu_s=(int(stat[13]) + int(stat[14])) / _TICKS,
    )


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder that is in use."""
    sizes = 0
    for each in folder.rglob("*"):
        try:
            sizes += each.lstat().st_size
        except FileNotFoundError:
            continue
    return sizes


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name; the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(each) for each in (task / "children").read_text().split()]
        except FileNotFoundError:  # a thread that has ended meanwhile
            continue
    return found


def _is_engine(pid: int) -> bool:
    try:
        return b"surreal/engine.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _resident(pid: int) -> int:
    try:
        return int(_stat(pid)[21])
    except OSError:
        return 0


def _is_zombie(pid: int) -> bool:
    try:
        return _stat(pid)[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _descriptors(pid: int) -> int:
    place = Path(f"/proc/{pid}/fd")
    # since Linux 6.2, and open to everybody: a daemon that hides lets only root list them
    return place.stat().st_size or sum(1 for _ in place.iterdir())
