"""Which process made something temporary, so that others can tell whether it is still there.

A process is named by the boot of its machine, its process namespace, its id and its start: a
folder may be shared between machines and containers, and ids come again.
"""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_LONG_S = 86_400
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PARTS = 4
_START = 19  # the field behind the name of the program, in stat of proc(5)


def tag() -> str:
    """What our own temporary names hold."""
    return _named(os.getpid())


def clear(folder: Path, prefix: str) -> int:
    """Remove what begins so, is ours, and was made by a process that is gone; how much that is.

    What cannot be told from something in use goes when it is a day old.
    """
    count = 0
    for each in _ours(folder, prefix):
        if _is_left(each, prefix):
            remove(each)
            count += 1
    return count


def remove(place: Path) -> None:
    """Remove a file, or a folder though it may not be written."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    for inner in [place, *place.rglob("*")]:
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(stat.S_IRWXU)
    shutil.rmtree(place, ignore_errors=True)


def _ours(folder: Path, prefix: str) -> Iterator[Path]:
    for each in folder.glob(f"{prefix}*"):
        try:
            if each.lstat().st_uid == os.geteuid():
                yield each
        except FileNotFoundError:  # its maker was faster
            continue


def _is_left(place: Path, prefix: str) -> bool:
    boot, namespace, pid, start, *_ = (
        *place.name.removeprefix(prefix).split("-")[0].split("."),
        *("",) * _PARTS,
    )
    if f"{boot}.{namespace}" == _place() and pid.isdecimal():
        return str(_start_of(int(pid))) != start
    try:
        return time.time() - place.lstat().st_mtime > _LONG_S
    except FileNotFoundError:
        return False


@cache  # a thousand files are written with it
def _named(pid: int) -> str:
    return f"{_place()}.{pid}.{_start_of(pid)}"


@cache
def _place() -> str:
    """The boot of our machine, and our process namespace."""
    boot = _BOOT_ID.read_text().strip().replace("-", "")[:12]
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"{boot}.{namespace}"


def _start_of(pid: int) -> int | None:
    """A process's start in clock ticks since boot; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[_START])
