"""Where an evaluation finds what it may read, and what killed processes left of such places.

It is in memory where the system has room for it: a file system on a disk takes up to a
millisecond for each of a thousand small files that are gone again after a second.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from stratum_graph.definitions import author
from stratum_graph.definitions.snapshot import Files

_PREFIX = "stratum-evaluation-"
_PLACES = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108 - it is made 0700
"""In memory, else on the disk; the last one is used whatever is free there."""
_BLOCK = 4096
"""What the smallest file or folder takes, bytes."""
_SPARE = 4
"""How many times as much has to be free: the place belongs to others too."""
_DEADLINE_S = 30


@asynccontextmanager
async def laid_out(files: Files, places: Sequence[Path] = _PLACES) -> AsyncIterator[Path]:
    """A private folder with exactly these files, by relative path, for as long as it is needed.

    It is made in the first of the places that has room. Raises OSError when none has.
    """
    place = await anyio.to_thread.run_sync(_lay_out, files, places)
    try:
        yield place
    finally:
        with anyio.move_on_after(_DEADLINE_S, shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, place)


def clear(places: Sequence[Path] = _PLACES) -> int:
    """Remove what evaluations of killed processes left; how much that is."""
    return sum(author.clear(each, _PREFIX) for each in dict.fromkeys(places) if each.is_dir())


def _lay_out(files: Files, places: Sequence[Path]) -> Path:
    *preferred, last = places
    for place in preferred:
        if _has_room(place, files):
            with suppress(OSError):  # somebody else was faster
                return _written(place, files)
    return _written(last, files)


def _has_room(place: Path, files: Files) -> bool:
    try:
        free = os.statvfs(place)
    except OSError:
        return False
    needed = sum(_BLOCK * 2 + len(content) for content in files.values())
    return os.access(place, os.W_OK) and free.f_bavail * free.f_frsize > _SPARE * needed


def _written(parent: Path, files: Files) -> Path:
    place = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{author.tag()}-", dir=parent)).resolve()
    try:
        for folder in sorted({os.path.dirname(name) for name in files}):  # noqa: PTH120
            (place / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
    except OSError:
        shutil.rmtree(place)
        raise
    return place
