"""Bundles laid out as folders: built whole or not at all, compared whenever they are used."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stratum_graph.definitions import author, plain_file
from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.verify import Listing

_READ_ONLY = 0o444
_NEW, _OLD = ".new-", ".old-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where the parts of one bundle lie."""

    folders: tuple[Path, ...]
    library: Path
    policies: Path
    principals: Path | None


def lay_out(root: Path, listing: Listing, files: Mapping[str, bytes]) -> Tree:
    """The folder below `root` with exactly these files, which are those of the listing."""
    place = root / listing.digest.removeprefix("sha256:")
    if not _holds(place, files):
        _build(place, files)
    principals = listing.principals
    return Tree(
        folders=tuple(place / bundle.DEFINITIONS_FOLDER / each for each in listing.folders),
        library=place / bundle.LIBRARY_FOLDER,
        policies=place / bundle.POLICIES_FOLDER,
        principals=place / principals if principals else None,
    )


def remove(root: Path, digest: str) -> None:
    """Let go of a folder that was laid out."""
    _discard(root / digest.removeprefix("sha256:"))


def _build(place: Path, files: Mapping[str, bytes]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    for each in (_NEW, _OLD):
        author.clear(place.parent, each)
    fresh = Path(tempfile.mkdtemp(prefix=f"{_NEW}{author.tag()}-", dir=place.parent))
    for title, content in files.items():
        file = fresh / title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(_READ_ONLY)
    fresh.chmod(0o755)
    _discard(place)
    try:
        fresh.rename(place)
    except OSError:
        if not _holds(place, files):  # else another process was faster
            raise
        shutil.rmtree(fresh)


def _discard(place: Path) -> None:
    """Move a damaged folder out of the way first: nobody sees half of one."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
    else:
        trash = Path(tempfile.mkdtemp(prefix=f"{_OLD}{author.tag()}-", dir=place.parent))
        place.rename(trash / "tree")
        shutil.rmtree(trash)


def _holds(place: Path, files: Mapping[str, bytes]) -> bool:
    """Whether it is a folder with exactly these files, and nothing else."""
    if place.is_symlink() or not place.is_dir():
        return False
    found = 0
    for folder, folders, names in os.walk(place):
        if any((Path(folder) / each).is_symlink() for each in (*folders, *names)):
            return False
        for name in names:
            file = Path(folder) / name
            wanted = files.get(file.relative_to(place).as_posix())
            if wanted is None or not _is(file, wanted):
                return False
            found += 1
    return found == len(files)


def _is(file: Path, content: bytes) -> bool:
    try:
        return plain_file.read(file, len(content)) == content
    except OSError:
        return False
