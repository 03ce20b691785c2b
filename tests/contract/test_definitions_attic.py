"""Content that nobody needs goes, and nothing that somebody uses meanwhile."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stratum_graph.definitions import author
from stratum_graph.definitions.attic import UNUSED_S, Attic
from stratum_graph.definitions.content import ContentStore
from stratum_graph.errors import UnknownContent
from support.daemon import REPOSITORY

FILES = {"run.nu": b"def main [] {}", "lib/a.nu": b"# a"}
_TAG = "from stratum_graph.definitions.author import tag; print(tag())"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "content"


def age(root: Path) -> None:
    """Let everything look as if nobody had used it for long."""
    then = time.time() - UNUSED_S - 60
    for each in root.rglob("*"):
        os.utime(each, (then, then))


def sweep(root: Path, *needed: str) -> list[str]:
    attic = Attic(ContentStore(root))
    return [each for each in attic.unused(needed) if attic.remove(each)]


def test_what_was_not_used_for_long_goes_with_its_folder(root: Path) -> None:
    store = ContentStore(root)
    digest = store.put_tree(FILES)
    folder = store.tree(digest)
    age(root)

    assert sweep(root) == [digest]
    assert not folder.exists()
    with pytest.raises(UnknownContent):
        ContentStore(root).get(digest)
    assert [*(root / "blobs").iterdir()] == [*(root / "trees").iterdir()] == []


def test_what_is_needed_or_was_used_lately_stays(root: Path) -> None:
    store = ContentStore(root)
    needed = store.put(b"needed")
    age(root)
    lately = store.put(b"lately")

    assert sweep(root, needed) == []
    assert (store.get(needed), store.get(lately)) == (b"needed", b"lately")


def test_putting_again_what_is_there_is_a_use_of_it(root: Path) -> None:
    ContentStore(root).put(b"hello")
    age(root)

    ContentStore(root).put(b"hello")

    assert sweep(root) == []


def test_what_is_used_between_the_look_and_the_removal_stays(root: Path) -> None:
    digest = ContentStore(root).put(b"hello")
    age(root)
    attic = Attic(ContentStore(root))

    [found] = attic.unused(())
    assert ContentStore(root).keeps(digest)

    assert not attic.remove(found)
    assert ContentStore(root).get(digest) == b"hello"


def test_what_somebody_else_removed_is_written_again(root: Path) -> None:
    store = ContentStore(root)
    digest = store.put_tree(FILES)
    folder = store.tree(digest)
    age(root)
    attic = Attic(store)

    assert attic.remove(digest)
    assert not store.keeps(digest)
    assert store.put_tree(FILES) == digest
    assert store.tree(digest) == folder
    assert (folder / "run.nu").read_bytes() == FILES["run.nu"]


def test_what_a_process_left_goes_when_it_is_gone(root: Path) -> None:
    attic = Attic(ContentStore(root))
    gone = subprocess.run(
        [sys.executable, "-c", _TAG],
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    ours = root / "blobs" / f".new-{author.tag()}-x"
    theirs = root / "blobs" / f".new-{gone}-x"
    folder = root / "trees" / f".new-{gone}-y"
    elsewhere = root / "blobs" / ".new-anotherboot.1.2.3-x"
    old = root / "blobs" / ".new-abc123"
    for each in (ours, theirs, elsewhere, old):
        each.touch()
    folder.mkdir()
    (folder / "run.nu").touch(0o444)
    folder.chmod(0o555)
    os.utime(old, (0, 0))

    assert attic.clear() == 3

    assert ours.exists()
    assert elsewhere.exists()
    assert not any(each.exists() for each in (theirs, folder, old))
