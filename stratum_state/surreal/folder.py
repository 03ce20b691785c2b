"""The folder of an embedded store: ours alone, with room to write, whole to the last byte."""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stratum_state.errors import DiskFailed, StoreInUse
from stratum_state.surreal import tail

SEGMENT = 64 << 20
"""Bytes of one file of the log."""

_LEASE_KEYS = b"*lease\x00*"
MARK = "stratum.mark"

log = logging.getLogger(__name__)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the folder, made fit to be opened. Raises StoreInUse, DiskFailed.

    The engine itself locks nothing: a second process would read garbage and write over us.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.with_name(f"{path.name}.lock").open("w")
    except OSError as error:
        raise DiskFailed(f"{path} cannot be used: {error.strerror}") from error  # noqa: TRY003
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUse(str(path)) from None
        _room(path)
        cut = tail.trim(path, _LEASE_KEYS)
        if cut:
            log.warning("torn transaction cut off", extra={"path": str(path), "bytes": cut})
        yield


def mark(path: Path) -> Mapping[str, object]:
    """What was noted beside the store last; empty when nothing was."""
    try:
        said = json.loads((path / MARK).read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def note(path: Path, said: Mapping[str, object]) -> None:
    """Note beside the store how far it got, atomically."""
    new = path / f"{MARK}.new"
    with new.open("w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path / MARK)


def _room(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < 2 * SEGMENT:  # repairing the log at opening copies its last file
        needed = 2 * SEGMENT >> 20
        raise DiskFailed(f"{path}: {free >> 20} MiB free, {needed} needed; make room")  # noqa: TRY003
