"""The folder of an embedded store: ours alone, with room to write, whole to the last byte."""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

from stratum_state.errors import DiskFailed, StoreInUse
from stratum_state.surreal import tail

SEGMENT = 64 << 20
"""Bytes of one file of the log."""

_LOG = ".clog"
_AT_ONCE = 1 << 20
_ORPHAN_S = 30.0
_STRANGER_S = 2.0
_PAUSE_S = 0.02
_LEASE_KEYS = b"*lease\x00*"
MARK = "stratum.mark"

log = logging.getLogger(__name__)


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[int]:
    """As `held`; the engine's process of a daemon that was killed has time to end."""
    began = anyio.current_time()
    with ExitStack() as stack:
        lock = None
        while lock is None:
            try:
                lock = stack.enter_context(held(path))
            except StoreInUse:
                patience = _STRANGER_S if _is_there(path) else _ORPHAN_S
                if anyio.current_time() > began + patience:
                    raise
                await anyio.sleep(_PAUSE_S)
        yield lock


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold the folder, made fit to be opened; the lock's descriptor.

    Raises StoreInUse, DiskFailed. The engine itself locks nothing: a second process would read
    garbage and write over us.
    """
    try:
        with suppress(FileExistsError):  # a file, perhaps: what comes next says so
            path.parent.mkdir(parents=True, mode=0o700)
        file = _lock_of(path).open("a")
    except OSError as error:
        raise DiskFailed(f"{path} cannot be used: {error.strerror}") from error  # noqa: TRY003
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreInUse(str(path)) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        _recover(path)
        path.mkdir(exist_ok=True, mode=0o700)
        _room(path)
        cut = tail.trim(path, _LEASE_KEYS)
        if cut:
            log.warning("torn transaction cut off", extra={"path": str(path), "bytes": cut})
        yield lock.fileno()


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _is_there(path: Path) -> bool:
    """Whether the process that took the lock may still be there, not only its engine."""
    try:
        pid = int(_lock_of(path).read_text())
    except (OSError, ValueError):
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


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


def copy_of(path: Path) -> Path:
    """Where the store is copied to when it is compacted."""
    return path.with_name(f"{path.name}.copy")


def snapshot_of(path: Path) -> Path:
    """Where the store's files are copied to, to be read while the store goes on."""
    return path.with_name(f"{path.name}.snapshot")


def snap(path: Path) -> None:
    """Copy the store's files, or what they have more since the last time.

    The engine only ever appends to the files of its log. What is copied while nobody writes is
    a store as it would be found after a crash.
    """
    into = snapshot_of(path)
    into.mkdir(mode=0o700, exist_ok=True)
    for each in sorted(path.rglob("*")):
        copy = into / each.relative_to(path)
        if each.is_dir():
            copy.mkdir(mode=0o700, exist_ok=True)
            continue
        grows = each.suffix == _LOG and copy.exists()
        with each.open("rb") as source, copy.open("ab" if grows else "wb") as target:
            source.seek(target.tell())
            shutil.copyfileobj(source, target, _AT_ONCE)


def has_store(path: Path) -> bool:
    """Whether there is a store, or what a crash in the midst of `replace` left of it."""
    return any(each.is_dir() for each in (path, copy_of(path), _former(path)))


def discard_copies(path: Path) -> None:
    """Remove a copy that did not come to its end, or is not wanted, and a snapshot.

    Where there is no store, the copy is all there is.
    """
    if path.exists():
        shutil.rmtree(copy_of(path), ignore_errors=True)
    shutil.rmtree(snapshot_of(path), ignore_errors=True)


def unwatched(_point: str) -> None:
    """Go on."""


def replace(path: Path, passed: Callable[[str], None] = unwatched) -> None:
    """Put the copy, which is whole, in the place of the store; a crash leaves one of them.

    Raises OSError; the store is then where it was.
    """
    copy, old = copy_of(path), _former(path)
    for each in (path.parent, copy, *copy.rglob("*")):
        _sync(each)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    passed("compaction.vacant")
    try:
        copy.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    _sync(path.parent)
    passed("compaction.replaced")
    shutil.rmtree(old, ignore_errors=True)


def _recover(path: Path) -> None:
    """Finish what a crash in the midst of `replace` left to do, and tidy up."""
    if not path.exists():
        if mark(copy_of(path)):  # noted when it is whole
            replace(path)
        elif _former(path).exists():
            _former(path).rename(path)
    if path.exists():
        _sync(path.parent)
        shutil.rmtree(_former(path), ignore_errors=True)
        discard_copies(path)


def _former(path: Path) -> Path:
    """Where the store is while its copy takes its place."""
    return path.with_name(f"{path.name}.replaced")


def size(path: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _room(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < 2 * SEGMENT:  # repairing the log at opening copies its last file
        needed = 2 * SEGMENT >> 20
        raise DiskFailed(f"{path}: {free >> 20} MiB free, {needed} needed; make room")  # noqa: TRY003
