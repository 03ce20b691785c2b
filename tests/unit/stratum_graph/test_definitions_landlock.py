import os
import threading
from pathlib import Path

import pytest

from stratum_graph.definitions import landlock
from stratum_graph.definitions.landlock import Rules

pytestmark = pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")


def fenced(rules: Rules, path: Path, flags: int) -> str:
    """Open `path` in a thread bound to `rules`; return what happened."""
    seen: list[str] = []

    def attempt() -> None:
        landlock.restrict(rules)
        try:
            os.close(os.open(path, flags))
            seen.append("opened")
        except PermissionError:
            seen.append("denied")

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return seen[0]


def test_what_is_not_named_cannot_be_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.touch()

    seen = fenced(Rules(read=(str(inside),)), outside, os.O_RDONLY)

    assert seen == "denied"


def test_what_may_be_read_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rules = Rules(read=(str(tmp_path),))

    seen = [fenced(rules, tmp_path / "file", flags) for flags in (os.O_RDONLY, os.O_WRONLY)]

    assert seen == ["opened", "denied"]


def test_a_writable_folder_takes_new_files(tmp_path: Path) -> None:
    seen = fenced(Rules(write=(str(tmp_path),)), tmp_path / "new", os.O_WRONLY | os.O_CREAT)

    assert seen == "opened"


def test_one_file_alone_can_be_named(tmp_path: Path) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.touch()
    other.touch()
    rules = Rules(write=(str(named),))

    seen = [fenced(rules, path, os.O_RDWR) for path in (named, other)]

    assert seen == ["opened", "denied"]


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        landlock.restrict(Rules(read=(str(tmp_path / "absent"),)))
