"""A private copy of the files below the watched folders: what is evaluated, checked and kept.

Only the copy is looked at afterwards, so nobody can swap a file between check and use.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from os.path import realpath
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import NamedTuple

from stratum_graph.definitions.copies import Copies
from stratum_graph.definitions.source_text import Survey
from stratum_graph.diagnostics import Diagnostic

MAX_SOURCE = 1 << 20
"""Bytes of one `.ncl` file."""
MAX_TREE = 4 << 20
"""Bytes of one definition's folder."""
MAX_TREE_FILES = 256
MAX_FILES = 20_000
MAX_TOTAL = 256 << 20
"""Bytes of all files together."""
MAX_DEPTH = 16
MAX_NESTING = 200

_REST_S, _LONGEST_S = 0.05, 1.0
"""How long a file or folder rests before it counts as written, and the most to wait for."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_IGNORED = re.compile(r"\..*|.*~|#.*#|__pycache__|node_modules")
_BAD_NAME = "is left out for its name"
_GOOD_NAME = "use letters, digits, `.`, `_` and `-`"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_CURRENT = "..data"
"""In a mounted ConfigMap or Secret: a link to the folder with the files of now."""

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Files by path, and what was left out and why."""

    roots: tuple[str, ...]
    """Prefix of each watched folder: empty, or a name and a slash."""
    files: Files
    diagnostics: tuple[Diagnostic, ...]


def take(folders: Sequence[Path], copies: Copies | None = None) -> Snapshot:
    """Copy what lies below the folders into memory; from `copies`, what did not change.

    With one folder, paths are below it; with several, they begin with the folder's name.
    Anything but a plain file of bearable size becomes a diagnostic; nothing waits on it.
    """
    copy = _Copy(copies or Copies())
    roots = roots_of(folders)
    for root, folder in zip(roots, folders, strict=True):
        if folder.is_dir():
            copy.add_folder(_current(Path(realpath(folder))), root)
        else:
            copy.refuse(str(folder), "there is no such folder", "watch a folder that exists")
    copy.copies.turn()
    return Snapshot(roots=roots, files=copy.files, diagnostics=tuple(copy.diagnostics))


def take_at_rest(folders: Sequence[Path], copies: Copies) -> Snapshot:
    """The same, when nothing was written to for a moment: before, it may be half written.

    So may a folder, from which one file after the other is removed. Waits for a second at
    most: there are files that are written to without end.
    """
    give_up = monotonic() + _LONGEST_S
    while True:
        taken = take(folders, copies)
        rested_s = (time_ns() - copies.written_ns) / 1e9
        if not 0 <= rested_s < _REST_S or monotonic() > give_up:
            return taken
        sleep(_REST_S - rested_s)


def read_file(path: Path, name: str) -> bytes | Diagnostic:
    """Read a file that lies outside the watched folders, under the same rules.

    `name` is what diagnostics call it.
    """
    copy = _Copy(Copies())
    if _NAME.fullmatch(path.name) is None:
        return Diagnostic(file=name, message=_BAD_NAME, hint=_GOOD_NAME)
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            copy.add_file(path.name, name, parent)
        finally:
            os.close(parent)
    except OSError as error:
        return Diagnostic(file=name, message=f"cannot be read: {error.strerror}")
    return copy.diagnostics[0] if copy.diagnostics else copy.files[name]


def is_ignored(name: str) -> bool:
    """Whether a file or folder of that name is passed over wherever it lies."""
    return _IGNORED.fullmatch(name) is not None


def source_problems(name: str, survey: Survey) -> Iterator[Diagnostic]:
    """What can be said against a `.ncl` file before it is evaluated."""
    if survey.garbled:
        yield Diagnostic(file=name, message=survey.garbled)
    for found in survey.imports:
        if found.problem:
            yield Diagnostic(
                file=name,
                line=found.place.line,
                column=found.place.column,
                message=f"import of `{found.path}` is not allowed: {found.problem}",
                hint="name a file beside this one or below the watched folder",
            )
    if survey.nesting > MAX_NESTING:
        yield Diagnostic(file=name, message=f"brackets are nested deeper than {MAX_NESTING}")


def size(count: int) -> str:
    """Write a number of bytes for a reader."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count} bytes"


@dataclass(slots=True)
class _Copy:
    copies: Copies
    files: dict[str, bytes] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    total: int = 0

    def refuse(self, name: str, message: str, hint: str = "") -> None:
        self.diagnostics.append(Diagnostic(file=name, message=message, hint=hint))

    def add_folder(self, name: str | Path, prefix: str, parent: int | None = None) -> None:
        """Add what lies in and below a folder. What goes away meanwhile is not there."""
        try:
            folder = os.open(name, _OPEN_FOLDER, dir_fd=parent)
            try:
                self.copies.see(os.fstat(folder))
                with os.scandir(folder) as listing:
                    entries = sorted(listing, key=lambda each: each.name)
                self._add_all(entries, folder, prefix)
            finally:
                os.close(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self.refuse(prefix or str(name), f"cannot be read: {error.strerror}")

    def _add_all(self, entries: Sequence[os.DirEntry[str]], folder: int, prefix: str) -> None:
        inner = {each.name for each in entries if _is_folder(each)}
        for name in (each.name for each in entries if each.name not in inner):
            if self._is_wanted(name, prefix):
                with suppress(FileNotFoundError):
                    self.add_file(name, prefix + name, folder)
            if self._is_full(prefix):
                return
        for name in sorted(inner):
            if self._enters(name, prefix, folder):
                self.add_folder(name, f"{prefix}{name}/", folder)

    def add_file(self, name: str, path: str, parent: int) -> None:
        """Add a file; FileNotFoundError when it is not there."""
        try:
            content = self._read(name, parent, _limit(name))
        except FileNotFoundError:
            raise
        except OSError as error:
            content = _Refusal(f"cannot be read: {error.strerror}", "")
        if isinstance(content, _Refusal):
            self.refuse(path, content.message, content.hint)
        else:
            self.files[path] = content
            self.total += len(content)

    def _read(self, name: str, parent: int, limit: int) -> "bytes | _Refusal":
        # Looked at before it is opened: to open a device can already do something.
        facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
        self.copies.see(facts)
        known = self.copies.get(facts)
        refusal = _refusal(facts, limit)
        if known is not None or refusal:
            return refusal or known or b""
        with os.fdopen(os.open(name, _OPEN, dir_fd=parent), "rb") as file:
            facts = os.fstat(file.fileno())
            # One more than it has, to notice that it grows; to ask for more costs a buffer.
            content = file.read(min(facts.st_size, limit) + 1)
            self.copies.see(os.fstat(file.fileno()))
        if len(content) != min(facts.st_size, limit + 1):
            return _refusal(facts, limit) or _Refusal("is written to while it is read", "")
        self.copies.keep(facts, content)
        return _refusal(facts, limit) or content

    def _enters(self, name: str, prefix: str, parent: int) -> bool:
        if not self._is_wanted(name, prefix):
            return False
        try:
            is_link = stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.refuse(prefix + name, f"cannot be read: {error.strerror}")
            return False
        if is_link:
            self.refuse(prefix + name, "is a symbolic link", "put the folder itself here")
            return False
        if prefix.count("/") >= MAX_DEPTH:
            self.refuse(prefix + name, f"folders are nested deeper than {MAX_DEPTH}")
            return False
        return True

    def _is_wanted(self, name: str, prefix: str) -> bool:
        if is_ignored(name):
            return False
        if _NAME.fullmatch(name):
            return True
        self.diagnostics.append(
            Diagnostic(
                file=prefix + os.fsencode(name).decode(errors="backslashreplace"),
                message=_BAD_NAME,
                hint=_GOOD_NAME,
                severity="error" if name.endswith(".ncl") else "warning",
            )
        )
        return False

    def _is_full(self, prefix: str) -> bool:
        if len(self.files) <= MAX_FILES and self.total <= MAX_TOTAL:
            return False
        limits = f"{MAX_FILES} files and {size(MAX_TOTAL)}"
        self.refuse(prefix, f"the watched folders hold more than {limits}", "watch fewer")
        return True


class _Refusal(NamedTuple):
    """Why a file is not copied."""

    message: str
    hint: str


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or a link to one. A link that leads to itself leads nowhere."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _refusal(facts: os.stat_result, limit: int) -> _Refusal | None:
    if stat.S_ISLNK(facts.st_mode):
        return _Refusal("is a symbolic link", "put the file itself here")
    if not stat.S_ISREG(facts.st_mode):
        return _Refusal("is not a plain file", "keep pipes, sockets and devices elsewhere")
    if facts.st_size > limit:
        return _Refusal(
            f"has {size(facts.st_size)}, of at most {size(limit)}",
            "keep data elsewhere and name it in `handler.read`",
        )
    return None


def _limit(name: str) -> int:
    return MAX_SOURCE if name.endswith(".ncl") else MAX_TREE


def _current(folder: Path) -> Path:
    """Where a folder's files of now are: one place, even when they are replaced meanwhile."""
    link = folder / _CURRENT
    if not link.is_symlink():
        return folder
    target = Path(realpath(link))
    return target if target.parent == folder and target.is_dir() else folder


def roots_of(folders: Sequence[Path]) -> tuple[str, ...]:
    """How the paths begin of what is copied from each of the folders."""
    if len(folders) == 1:
        return ("",)
    names: list[str] = []
    for number, folder in enumerate(folders, start=1):
        name = folder.name if _NAME.fullmatch(folder.name) else f"folder-{number}"
        names.append(f"{name}-{number}/" if f"{name}/" in names else f"{name}/")
    return tuple(names)
