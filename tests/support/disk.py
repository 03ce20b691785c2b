"""A small disk of its own, in memory; only root can have one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def a_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a disk of the size, such as `16m`; the test is skipped where that is forbidden."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Leave so many bytes free; delete what is returned to make room again."""
    filler = disk / "filler"
    room = os.statvfs(disk)
    with filler.open("wb") as file:
        left = room.f_bavail * room.f_frsize - leave
        os.posix_fallocate(file.fileno(), 0, max(left, 1))
    return filler
