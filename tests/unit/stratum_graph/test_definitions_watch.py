"""Which changes of watched places are told."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stratum_graph.definitions import watch
from stratum_graph.definitions.snapshot import take
from stratum_graph.definitions.watch import Places, Watch
from support.definitions import write

SOON_S = 20
NOT_S = 0.4


@pytest.fixture
def eyes() -> Iterator[Watch]:
    with Watch() as watching:
        yield watching


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    return write(tmp_path / "nodes", {"a/node.ncl": "{}", "a/run.nu": ""})


def save_like_an_editor(nodes: Path) -> None:
    fresh = nodes / "a" / ".node.ncl.new"
    fresh.write_text("{ }")
    (nodes / "a" / "node.ncl").rename(nodes / "a" / "node.ncl~")
    fresh.rename(nodes / "a" / "node.ncl")


def recreate(nodes: Path) -> None:
    shutil.rmtree(nodes)
    write(nodes, {"b/node.ncl": "{}"})


CHANGES: dict[str, Callable[[Path], object]] = {
    "a write": lambda nodes: (nodes / "a" / "node.ncl").write_text("{ }"),
    "a script": lambda nodes: (nodes / "a" / "run.nu").write_text("x"),
    "an editor's rename": save_like_an_editor,
    "a new folder": lambda nodes: write(nodes, {"c/d/node.ncl": "{}"}),
    "a file gone": lambda nodes: (nodes / "a" / "node.ncl").unlink(),
    "a folder gone": shutil.rmtree,
    "a folder made anew": recreate,
    "a folder renamed": lambda nodes: nodes.rename(nodes.with_name("away")),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_every_kind_of_change_is_told(eyes: Watch, nodes: Path, what: str) -> None:
    eyes.cover(Places((nodes,)))

    CHANGES[what](nodes)

    assert await eyes.changed(SOON_S)


async def test_a_folder_that_appears_is_told_and_then_watched(
    eyes: Watch, tmp_path: Path
) -> None:
    nodes = tmp_path / "not" / "yet"
    eyes.cover(Places((nodes,)))

    nodes.mkdir(parents=True)
    appeared = await eyes.changed(SOON_S)
    rearmed = eyes.cover(Places((nodes,)))
    write(nodes, {"node.ncl": "{}"})

    assert appeared
    assert rearmed
    assert await eyes.changed(SOON_S)


async def test_a_folder_made_anew_is_watched_again(eyes: Watch, nodes: Path) -> None:
    eyes.cover(Places((nodes,)))
    recreate(nodes)
    assert await eyes.changed(SOON_S)

    rearmed = eyes.cover(Places((nodes,)))
    (nodes / "b" / "node.ncl").write_text("{ }")

    assert rearmed
    assert await eyes.changed(SOON_S)


async def test_a_mounted_config_map_is_told_when_its_link_moves(
    eyes: Watch, tmp_path: Path
) -> None:
    mount = config_map(tmp_path / "mount", "first")
    eyes.cover(Places((mount,), (mount / "principals.ncl",)))

    config_map(mount, "second")

    assert await eyes.changed(SOON_S)
    assert take([mount]).files == {"node.ncl": b"second", "principals.ncl": b"second"}
    assert take([mount]).diagnostics == ()


async def test_a_link_that_is_turned_to_another_folder_is_told(
    eyes: Watch, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write(tmp_path / "releases" / name, {"node.ncl": name})
    link = tmp_path / "nodes"
    link.symlink_to("releases/one")
    eyes.cover(Places((link,)))

    turn(link, "releases/two")

    assert await eyes.changed(SOON_S)
    assert eyes.cover(Places((link,)))


async def test_links_that_lead_to_themselves_are_waited_for(
    eyes: Watch, tmp_path: Path
) -> None:
    folder, file = tmp_path / "nodes", tmp_path / "principals.ncl"
    for each in (folder, file):
        each.symlink_to(each.name)
    eyes.cover(Places((folder,), (file,)))

    file.unlink()
    file.write_text("[]")

    assert await eyes.changed(SOON_S)


async def test_a_file_and_what_it_may_import_are_told(eyes: Watch, tmp_path: Path) -> None:
    file = write(tmp_path, {"principals.ncl": "[]"}) / "principals.ncl"
    eyes.cover(Places((), (file,)))

    (tmp_path / "people.ncl").write_text("[]")

    assert await eyes.changed(SOON_S)


async def test_reading_and_what_tools_leave_behind_are_not_told(
    eyes: Watch, nodes: Path
) -> None:
    eyes.cover(Places((nodes,), (nodes.parent / "principals.ncl",)))

    take([nodes])
    write(nodes, {".git/index": "x", "a/node.ncl~": "x", "a/.node.ncl.swp": "x"})
    (nodes.parent / "notes.txt").write_text("x")

    assert not await eyes.changed(NOT_S)


async def test_what_is_watched_already_is_nothing_new(eyes: Watch, nodes: Path) -> None:
    first = eyes.cover(Places((nodes,)))
    again = eyes.cover(Places((nodes,)))

    assert (first, again) == (True, False)


async def test_changes_that_go_on_and_on_are_told_all_the_same(
    eyes: Watch, nodes: Path
) -> None:
    eyes.cover(Places((nodes,)))
    over = threading.Event()

    def scribble() -> None:
        while not over.wait(0.01):
            (nodes / "a" / "node.ncl").write_text("{}")

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        assert await eyes.changed(SOON_S)
    finally:
        over.set()
        writer.join()


async def test_without_watches_it_says_so_plainly(
    eyes: Watch, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(watch.Watch, "_schedule", refuse)

    covered = eyes.cover(Places((nodes,)))

    assert not covered
    assert "max_user_watches" in eyes.trouble


def config_map(mount: Path, text: str) -> Path:
    """What a kubelet does: a folder with the new files, and one link turned to it."""
    made = mount / f"..{text}"
    write(made, {"node.ncl": text, "principals.ncl": text})
    turn(mount / "..data", made.name)
    for name in ("node.ncl", "principals.ncl"):
        if not (mount / name).is_symlink():
            (mount / name).symlink_to(f"..data/{name}")
    return mount


def turn(link: Path, target: str) -> None:
    fresh = link.with_name("..fresh")
    fresh.symlink_to(target)
    fresh.rename(link)
