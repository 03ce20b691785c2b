"""Which files are copied, and what is said of the others."""

import os
from pathlib import Path
from shutil import rmtree
from time import time

import pytest

from stratum_graph.definitions import snapshot
from stratum_graph.definitions.copies import Copies
from stratum_graph.definitions.folders import Folders
from stratum_graph.definitions.snapshot import size, take, take_at_rest
from support.definitions import write


def test_plain_files_are_copied_with_their_bytes(tmp_path: Path) -> None:
    write(tmp_path, {"a/node.ncl": "{}", "a/run.nu": "x", "empty.txt": ""})

    taken = take([tmp_path])

    assert taken.files == {"a/node.ncl": b"{}", "a/run.nu": b"x", "empty.txt": b""}
    assert taken.diagnostics == ()


@pytest.mark.parametrize("name", [".git/config", "run.nu~", "#run.nu#", "__pycache__/a.pyc"])
def test_what_tools_leave_behind_is_passed_over(tmp_path: Path, name: str) -> None:
    taken = take([write(tmp_path, {name: "x"})])

    assert taken.files == {}
    assert taken.diagnostics == ()


@pytest.mark.parametrize(
    ("name", "severity"), [("read me.txt", "warning"), ("a b.ncl", "error")]
)
def test_odd_names_are_left_out_and_told(tmp_path: Path, name: str, severity: str) -> None:
    taken = take([write(tmp_path, {name: "x"})])

    assert taken.files == {}
    assert [(each.file, each.severity) for each in taken.diagnostics] == [(name, severity)]


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    taken = take([tmp_path / "absent"])

    assert [each.message for each in taken.diagnostics] == ["there is no such folder"]


def test_links_that_lead_to_themselves_are_told(tmp_path: Path) -> None:
    folder, mount = tmp_path / "nodes", tmp_path / "mount"
    folder.symlink_to("nodes")
    mount.mkdir()
    for name in ("..data", "run.nu", ".#run.nu"):
        (mount / name).symlink_to(name)

    taken = take([folder, mount])

    assert [each.message for each in taken.diagnostics] == [
        "there is no such folder",
        "is a symbolic link",
    ]


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [write(tmp_path / side / "nodes", {"a.txt": side}) for side in ("left", "right")]

    taken = take(folders)

    assert taken.files == {"nodes/a.txt": b"left", "nodes-2/a.txt": b"right"}


def test_too_many_files_stop_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_FILES", 2)

    taken = take([write(tmp_path, {f"{name}.txt": "" for name in "abcdef"})])

    assert len(taken.files) == 3
    assert "more than 2 files" in taken.diagnostics[0].message


def test_deep_folders_are_not_entered(tmp_path: Path) -> None:
    taken = take([write(tmp_path, {"d/" * 20 + "a.txt": ""})])

    assert taken.files == {}
    assert [each.message for each in taken.diagnostics] == ["folders are nested deeper than 16"]


def test_a_definition_has_what_lies_in_and_below_its_place() -> None:
    files = {
        "capabilities.ncl": b"",
        "crate/read.txt": b"r",
        "crate/lint/node.ncl": b"",
        "crate/lint/run.nu": b"1",
        "crate/lint/data/a.json": b"2",
        "crate/lint/other/node.ncl": b"",
        "crate/lint/other/run.nu": b"3",
    }

    folders = Folders(files)

    assert folders.of("crate/lint/node.ncl") == {"run.nu": b"1", "data/a.json": b"2"}
    assert folders.of("capabilities.ncl") == {"crate/read.txt": b"r"}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (12, "12 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (4 << 20, "4 MiB"),
        (1 << 30, "1 GiB"),
    ],
)
def test_sizes_are_written_for_readers(count: int, text: str) -> None:
    assert size(count) == text


def test_what_is_just_being_written_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = write(tmp_path, {"run.nu": ""}) / "run.nu"
    monkeypatch.setattr(snapshot, "sleep", lambda _: half.write_text("whole"))

    assert take_at_rest([tmp_path], Copies()).files == {"run.nu": b"whole"}


def test_what_is_just_being_removed_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "nodes", {"one.ncl": "{}", "two.ncl": "{}"})
    for each in folder.iterdir():
        os.utime(each, (0, 0))
    (folder / "one.ncl").unlink()
    monkeypatch.setattr(snapshot, "sleep", lambda _: rmtree(folder, ignore_errors=True))

    taken = take_at_rest([folder], Copies())

    assert [each.message for each in taken.diagnostics] == ["there is no such folder"]


def test_what_is_written_to_without_end_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path, {"log.txt": "x"}) / "log.txt"
    monkeypatch.setattr(snapshot, "sleep", lambda _: log.write_text("x"))
    monkeypatch.setattr(snapshot, "_LONGEST_S", 0.01)

    assert take_at_rest([tmp_path], Copies()).files == {"log.txt": b"x"}


@pytest.mark.parametrize("age_s", [1, -3600], ids=["long ago", "by a clock that is ahead"])
def test_what_rests_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: int
) -> None:
    file = write(tmp_path, {"run.nu": "x"}) / "run.nu"
    for each in (file, tmp_path):
        os.utime(each, (time() - age_s,) * 2)
    monkeypatch.setattr(snapshot, "sleep", lambda _: pytest.fail("it was waited for"))

    assert take_at_rest([tmp_path], Copies()).files == {"run.nu": b"x"}
