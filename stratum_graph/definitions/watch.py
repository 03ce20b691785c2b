"""Says when something below watched places may have changed; the only user of watchdog.

It never says what changed: whoever is told looks again. That is also why nothing is lost when
the system has no watches left, drops events, or a folder is replaced by another: an occasional
look without being told finds what was missed.
"""

import logging
import re
import socket
import stat
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from os.path import realpath
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import anyio
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

log = logging.getLogger(__name__)

# A folder below a new folder can be met twice, as an event and in the look for what was missed.
warnings.filterwarnings(
    "ignore", "Callback with id .* already exists", RuntimeWarning, "watchdog"
)

_ONE_S, _SEVERAL_S, _LONGEST_S = 0.05, 0.2, 1.0
"""How long it has to be quiet after one file changed or several did; and the most to wait."""
_COUNTED = 2
_PASSED_OVER = re.compile(r"\.[^.].*|.*~|#.*#|__pycache__|node_modules")
_CHANGES: list[type[FileSystemEvent]] = [
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
    *(FileCreatedEvent, FileDeletedEvent, FileMovedEvent),
    *(FileModifiedEvent, FileClosedEvent, FileAttribEvent),
]
"""Not that a file was opened or read: we do that ourselves whenever we look."""
_NO_WATCHES = (
    "changes are found by looking every few seconds: the system has no more watches to give "
    "(raise fs.inotify.max_user_watches and fs.inotify.max_user_instances)"
)


class Places(NamedTuple):
    """What is watched; none of it has to exist yet."""

    folders: tuple[Path, ...]
    """With all that lies below."""
    files: tuple[Path, ...] = ()
    """With the Nickel files beside them, which they can import."""


class _Spot(NamedTuple):
    """A folder that exists, and which one: another can take its name."""

    path: Path
    deep: bool
    device: int
    inode: int


class Watch:
    """Watches as much of some places as exists, and follows them as they come and go."""

    def __init__(self) -> None:
        self.trouble = ""
        """Why changes are not told of; empty when they are."""
        self._observer = Observer()
        self._watches: dict[_Spot, ObservedWatch] = {}
        self._heard = _Ear()

    def __enter__(self) -> Self:
        self._observer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._observer.stop()
        self._observer.join()
        self._heard.close()

    def cover(self, places: Places) -> bool:
        """Watch these places from now on; whether anything new is watched.

        Then something may have changed before it was. Blocks as long as the file system does.
        """
        covered = _Covered(places)
        self._heard.concerns = covered.concern
        wanted = set(covered.spots())
        # one that was deleted has ended, and its inode may be that of its successor
        alive = {each.watch for each in self._observer.emitters if each.should_keep_running()}
        for spot, watch in list(self._watches.items()):
            if spot not in wanted or watch not in alive:
                self._observer.unschedule(self._watches.pop(spot))
        fresh = sorted(wanted - self._watches.keys())
        trouble = ""
        for spot in fresh:
            try:
                self._watches[spot] = self._schedule(spot)
            except OSError as error:
                trouble = f"{_NO_WATCHES}: {error.strerror}"
        if trouble and not self.trouble:
            log.warning("definitions not watched", extra={"why": trouble})
        self.trouble = trouble
        return any(spot in self._watches for spot in fresh)

    async def changed(self, within_s: float) -> bool:
        """Whether something changed, once it is quiet again; False when the time is up."""
        with anyio.move_on_after(within_s):
            await self._heard.sound()
            await self._quiet()
            return True
        return False

    async def _quiet(self) -> None:
        last = anyio.current_time() + _LONGEST_S
        seen: set[str] = set()
        while True:
            seen |= self._heard.take()
            pause = _ONE_S if len(seen) < _COUNTED else _SEVERAL_S
            left = last - anyio.current_time()
            with anyio.move_on_after(min(pause, left)) as quiet:
                await self._heard.sound()
            if quiet.cancelled_caught:
                return

    def _schedule(self, spot: _Spot) -> ObservedWatch:
        return self._observer.schedule(
            self._heard, str(spot.path), recursive=spot.deep, event_filter=_CHANGES
        )


class _Covered:
    """Places by all their names: as they were given, and without symbolic links."""

    def __init__(self, places: Places) -> None:
        self._folders = tuple(_names(places.folders))
        self._files = tuple(_names(places.files))

    def spots(self) -> Iterator[_Spot]:
        """Folders to watch: each place, and what tells that it is put there or replaced."""
        for folder in self._folders:
            yield from _spot(folder, deep=True)
        for place in (*self._folders, *self._files):
            yield from _spot(_nearest(place.parent), deep=False)

    def concern(self, path: Path) -> bool:
        """Whether what became of the path can make a difference."""
        for folder in self._folders:
            if path == folder or path in folder.parents:
                return True
            if path.is_relative_to(folder):
                below = path.relative_to(folder).parts
                return not any(map(_PASSED_OVER.fullmatch, below))
        return any(
            path == file or path in file.parents or _is_beside(path, file)
            for file in self._files
        )


def _names(places: Iterable[Path]) -> Iterator[Path]:
    known = dict.fromkeys(each.absolute() for each in places)
    yield from known | dict.fromkeys(Path(realpath(each)) for each in known)


def _nearest(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))


def _spot(path: Path, *, deep: bool) -> Iterator[_Spot]:
    with suppress(OSError):
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            yield _Spot(Path(realpath(path)), deep, facts.st_dev, facts.st_ino)


def _is_beside(path: Path, file: Path) -> bool:
    return path.parent == file.parent and (path.suffix == ".ncl" or path.name == "..data")


def _nothing(_path: Path) -> bool:
    return False


class _Ear(FileSystemEventHandler):
    """Passes on from the observer's thread to ours that there was something."""

    def __init__(self) -> None:
        self.concerns: Callable[[Path], bool] = _nothing
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._ours, self._theirs = socket.socketpair()
        self._ours.settimeout(0)
        self._theirs.settimeout(0)

    def on_any_event(self, event: FileSystemEvent) -> None:
        named = [str(each) for each in (event.src_path, event.dest_path) if each]
        named = [each for each in named if self.concerns(Path(each))]
        if not named:
            return
        with self._lock, suppress(OSError):  # closed: nobody asks any more
            if not self._paths:
                self._theirs.send(b"!")
            if len(self._paths) < _COUNTED:
                self._paths.update(named)

    async def sound(self) -> None:
        """Wait until there is something to take."""
        await anyio.wait_readable(self._ours)

    def take(self) -> set[str]:
        """Some of the paths that were named since the last time."""
        with self._lock:
            with suppress(BlockingIOError):
                self._ours.recv(1)
            paths, self._paths = self._paths, set()
        return paths

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
