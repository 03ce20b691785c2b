"""The folder of a store: whatever a crash leaves of it, there is one whole store."""

from pathlib import Path

import pytest

from stratum_state.errors import DiskFailed
from stratum_state.surreal import compaction, folder
from support.disk import a_disk


def a_store(path: Path, said: str) -> Path:
    path.mkdir()
    (path / "said").write_text(said)
    return path


def a_copy(path: Path) -> Path:
    copy = a_store(folder.copy_of(path), "new")
    folder.note(copy, {"used": 3})
    return copy


def beside(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


def test_a_copy_that_cannot_take_its_place_leaves_the_store_there(tmp_path: Path) -> None:
    path = a_store(tmp_path / "db", "old")
    copy = a_copy(path)

    def spoil(_point: str) -> None:
        copy.rename(tmp_path / "elsewhere")

    with pytest.raises(FileNotFoundError):
        folder.replace(path, spoil)

    assert (path / "said").read_text() == "old"


def test_where_there_is_no_store_its_copy_is_not_discarded(tmp_path: Path) -> None:
    copy = a_copy(tmp_path / "db")

    folder.discard_copies(tmp_path / "db")

    assert copy.exists()


@pytest.mark.parametrize(("is_whole", "said"), [(True, "new"), (False, "old")])
def test_a_whole_copy_takes_the_place_of_what_was_moved_away_for_it(
    tmp_path: Path, *, is_whole: bool, said: str
) -> None:
    path = tmp_path / "db"
    a_store(tmp_path / "db.replaced", "old")
    copy = a_copy(path)
    if not is_whole:
        (copy / folder.MARK).unlink()

    with folder.held(path):
        assert (path / "said").read_text() == said
        assert beside(path) == {"db", "db.lock"}


def test_what_a_crash_left_beside_the_store_goes(tmp_path: Path) -> None:
    path = a_store(tmp_path / "db", "new")
    a_store(tmp_path / "db.replaced", "old")
    a_store(folder.copy_of(path), "half")
    a_store(folder.snapshot_of(path), "half")

    with folder.held(path):
        assert beside(path) == {"db", "db.lock"}


def test_what_somebody_put_beside_the_store_stays(tmp_path: Path) -> None:
    path = a_store(tmp_path / "db", "new")
    mine = a_store(tmp_path / "db.old", "mine")
    a_copy(path)

    folder.replace(path)

    assert (path / "said").read_text() == "new"
    assert (mine / "said").read_text() == "mine"


def test_a_snapshot_is_for_nobody_else(tmp_path: Path) -> None:
    path = a_store(tmp_path / "db", "old")
    (path / "clog").mkdir()

    folder.snap(path)

    assert folder.snapshot_of(path).stat().st_mode & 0o777 == 0o700


def test_a_store_that_no_copy_can_take_the_place_of_is_left_alone(tmp_path: Path) -> None:
    a_store(tmp_path / "elsewhere", "old")
    link = tmp_path / "db"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed, match="a link or a mount point"):
        compaction.make_room(link, 1)

    with (
        a_disk(tmp_path / "disk", "1m") as disk,
        pytest.raises(DiskFailed, match="the folder that it is in"),
    ):
        compaction.make_room(disk, 1)
