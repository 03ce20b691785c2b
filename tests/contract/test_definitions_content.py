"""What everybody may rely on who keeps content by digest."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from stratum_graph.definitions.content import ContentStore, digest_of_tree
from stratum_graph.errors import DigestMismatch, UnknownContent, UnsafePath

FILES = {"run.nu": b"def main [] {}", "data/table.json": b"{}"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "content"


def contents(folder: Path) -> Mapping[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_bytes_come_back_by_their_digest(root: Path) -> None:
    digest = ContentStore(root).put(b"hello")

    assert digest == f"sha256:{sha256(b'hello').hexdigest()}"
    assert ContentStore(root).get(digest) == b"hello"


def test_what_was_never_put_is_unknown(root: Path) -> None:
    with pytest.raises(UnknownContent):
        ContentStore(root).get(f"sha256:{'0' * 64}")


@pytest.mark.parametrize("digest", ["", "sha256:../../etc/passwd", "md5:0", "sha256:ABC"])
def test_what_is_no_digest_is_unknown(root: Path, digest: str) -> None:
    with pytest.raises(UnknownContent):
        ContentStore(root).get(digest)


def test_altered_bytes_are_noticed(root: Path) -> None:
    store = ContentStore(root)
    digest = store.put(b"hello")

    damage(root / "blobs" / digest.removeprefix("sha256:"))

    with pytest.raises(DigestMismatch, match="altered"):
        store.get(digest)


def test_putting_again_mends_altered_bytes(root: Path) -> None:
    digest = ContentStore(root).put(b"hello")
    damage(root / "blobs" / digest.removeprefix("sha256:"))

    ContentStore(root).put(b"hello")

    assert ContentStore(root).get(digest) == b"hello"


def test_a_folder_comes_back_whole_and_read_only(root: Path) -> None:
    store = ContentStore(root)

    folder = store.tree(store.put_tree(FILES))

    assert contents(folder) == FILES
    assert {path.stat().st_mode & 0o222 for path in [folder, *folder.rglob("*")]} == {0}


def test_a_folder_is_named_by_names_and_bytes_and_not_by_order(root: Path) -> None:
    digest = ContentStore(root).put_tree(FILES)

    assert digest == digest_of_tree(dict(reversed(FILES.items())))
    assert digest != digest_of_tree({**FILES, "run.nu": b"other"})
    assert digest != digest_of_tree({"other.nu": FILES["run.nu"]})


@pytest.mark.parametrize("harm", ["altered", "added", "removed", "linked", "replaced"])
def test_a_harmed_folder_is_built_anew_at_its_first_use(root: Path, harm: str) -> None:
    digest = ContentStore(root).put_tree(FILES)
    folder = ContentStore(root).tree(digest)

    harm_folder(folder, harm)

    assert contents(ContentStore(root).tree(digest)) == FILES


def test_many_folders_are_kept_at_once(root: Path) -> None:
    store = ContentStore(root)

    digests = store.put_trees([FILES, {}, FILES])

    assert digests[0] == digests[2] != digests[1]
    assert contents(store.tree(digests[1])) == {}


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../../b", "", "a//b"])
def test_a_folder_keeps_its_files_inside(root: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        ContentStore(root).put_tree({path: b""})


def test_nothing_half_written_is_left(root: Path) -> None:
    store = ContentStore(root)

    store.tree(store.put_tree(FILES))

    assert [path.name for path in root.rglob(".*")] == []


def damage(file: Path) -> None:
    file.chmod(0o644)
    file.write_bytes(b"jello")


def harm_folder(folder: Path, harm: str) -> None:
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)
    match harm:
        case "altered":
            damage(folder / "run.nu")
        case "added":
            (folder / "more.nu").touch()
        case "removed":
            (folder / "run.nu").unlink()
        case "linked":
            (folder / "run.nu").unlink()
            (folder / "run.nu").symlink_to("/etc/passwd")
        case "replaced":
            folder.rename(folder.with_name("elsewhere"))
            folder.symlink_to(folder.with_name("elsewhere"))
