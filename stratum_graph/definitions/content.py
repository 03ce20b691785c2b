"""Content by digest, on disk: what a run was verified with stays what it runs with."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import EEXIST, ENOTEMPTY
from hashlib import sha256
from pathlib import Path

import msgspec

from stratum_graph.definitions import author
from stratum_graph.errors import DigestMismatch, UnknownContent, UnsafePath

_PREFIX = "sha256:"
_WRITERS = 8
_TOUCH_S = 600.0  # so often a use is noted, which counts for a day
_READ_ONLY_FILE, _READ_ONLY_FOLDER = 0o444, 0o555

Tree = Mapping[str, bytes]
"""Relative path with forward slashes to content."""


def digest_of(content: bytes) -> str:
    """Name content: `sha256:` and 64 hexadecimal digits."""
    return _PREFIX + sha256(content).hexdigest()


def digest_of_tree(files: Tree) -> str:
    """Name a folder by its paths and their content."""
    return digest_of(_pack(files))


def _unwatched(_point: str) -> None:
    """Go on."""


class ContentStore:
    """Blobs and folders that are written once, durably, and checked whenever they are read.

    Any number of threads and processes may share one root.
    """

    def __init__(self, root: Path, passed: Callable[[str], None] = _unwatched) -> None:
        """Keep below `root`; `passed` is told of each boundary between two durable states."""
        self._passed = passed
        self.blobs = root / "blobs"
        self.trees = root / "trees"
        for folder in (self.blobs, self.trees):
            folder.mkdir(parents=True, exist_ok=True)
        self._used: dict[str, float] = {}
        """When what is there was last used here."""
        self._materialised: set[str] = set()
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """Keep bytes; return their digest once they are durable."""
        return self.put_all([content])[0]

    def put_all(self, contents: Sequence[bytes]) -> tuple[str, ...]:
        """Keep many at the price of one: their digests, once all are durable."""
        digests = tuple(map(digest_of, contents))
        named = dict(zip(digests, contents, strict=True))
        missing = {digest: named[digest] for digest in named if not self._holds(digest)}
        if missing:
            # Who waits for the disk together waits once: ten times faster for a thousand.
            with ThreadPoolExecutor(_WRITERS) as writers:
                list(writers.map(self._write, missing.items()))
            self._passed("content.renamed")
            _sync_folder(self.blobs)
            self._passed("content.synced")
        self._used.update(dict.fromkeys(missing, _now()))
        return digests

    def get(self, digest: str) -> bytes:
        """Read bytes back; UnknownContent, or DigestMismatch when they were altered."""
        place = self._blob(digest)
        try:
            content = place.read_bytes()
        except FileNotFoundError:
            raise UnknownContent(digest) from None
        found = digest_of(content)
        if found != digest:
            raise DigestMismatch(digest, found, str(place))
        return content

    def put_tree(self, files: Tree) -> str:
        """Keep a folder; return its digest once it is durable."""
        return self.put(_pack(files))

    def put_trees(self, trees: Iterable[Tree]) -> tuple[str, ...]:
        """Keep many folders at the price of one."""
        return self.put_all([_pack(files) for files in trees])

    def tree(self, digest: str) -> Path:
        """Return a read-only folder with exactly the files that the digest names.

        Its first use in a process compares every byte, and builds it anew when it differs.
        Raises UnknownContent, or DigestMismatch when the stored bytes were altered.
        """
        place = self.trees / digest.removeprefix(_PREFIX)
        with self._lock:
            if digest not in self._materialised or not place.is_dir():
                files = _unpack(self.get(digest))
                if _read_folder(place) != files:
                    self._build(place, files)
                    self._passed("tree.renamed")
                self._materialised.add(digest)
        return place

    def _write(self, named: tuple[str, bytes]) -> None:
        digest, content = named
        _write_durably(self._blob(digest), content, self._passed)

    def _build(self, place: Path, files: Tree) -> None:
        fresh = Path(tempfile.mkdtemp(prefix=f".new-{author.tag()}-", dir=self.trees))
        _write_folder(fresh, files)
        self._passed("tree.written")
        if place.is_symlink() or place.is_file():
            place.unlink()
        try:
            fresh.rename(place)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
            self._replace(place, fresh, files)

    def _replace(self, place: Path, fresh: Path, files: Tree) -> None:
        """Put `fresh` in place of a damaged folder; keep what another process built."""
        if _read_folder(place) == files:
            author.remove(fresh)
            return
        # A sibling: a read-only folder cannot be moved below another parent.
        damaged = Path(tempfile.mkdtemp(prefix=f".old-{author.tag()}-", dir=self.trees))
        place.rename(damaged)
        fresh.rename(place)
        author.remove(damaged)

    def keeps(self, digest: str) -> bool:
        """Whether something that was found or put before is still there; this is a use of it.

        What nobody uses for a day, and no run needs, is removed.
        """
        used = self._used.get(digest)
        if used is not None and _now() - used < _TOUCH_S:
            return True
        try:
            os.utime(self._blob(digest))
        except FileNotFoundError:
            self.forget(digest)
            return False
        self._used[digest] = _now()
        return True

    def forget(self, digest: str) -> None:
        """It is not there any more."""
        self._used.pop(digest, None)
        self._materialised.discard(digest)

    def _holds(self, digest: str) -> bool:
        if digest in self._used:
            return self.keeps(digest)
        with suppress(UnknownContent, DigestMismatch):
            self.get(digest)
            return self.keeps(digest)
        return False

    def _blob(self, digest: str) -> Path:
        name = digest.removeprefix(_PREFIX)
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):  # noqa: PLR2004 - SHA-256
            raise UnknownContent(digest)
        return self.blobs / name


def _now() -> float:
    """Seconds; goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _pack(files: Tree) -> bytes:
    for name in files:
        if not name or {"", ".", ".."} & set(name.split("/")):
            raise UnsafePath(name)
    return msgspec.msgpack.encode(sorted(files.items()))


def _unpack(packed: bytes) -> dict[str, bytes]:
    return dict(msgspec.msgpack.decode(packed, type=list[tuple[str, bytes]]))


def _write_durably(place: Path, content: bytes, passed: Callable[[str], None]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".new-{author.tag()}-", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), _READ_ONLY_FILE)
            os.fsync(file.fileno())
        passed("content.written")
        Path(name).rename(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_folder(folder: Path, files: Tree) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(_READ_ONLY_FILE)
    for inner in [*folder.rglob("*"), folder]:
        if inner.is_dir():
            inner.chmod(_READ_ONLY_FOLDER)


def _read_folder(folder: Path) -> dict[str, bytes] | None:
    """Return what a folder holds; None when it is absent or holds more than plain files."""
    found: dict[str, bytes] = {}
    if not folder.is_dir() or folder.is_symlink():
        return None
    for inner in folder.rglob("*"):
        if inner.is_symlink() or not (inner.is_dir() or inner.is_file()):
            return None
        if inner.is_file():
            found[inner.relative_to(folder).as_posix()] = inner.read_bytes()
    return found
