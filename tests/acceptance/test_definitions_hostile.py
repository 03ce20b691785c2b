"""Files that mean harm: each is told by its name, and the good ones beside it still load."""

import os
from pathlib import Path

import pytest

from support.definitions import LOW_LIMITS, SCRIPT, node, source, write

pytestmark = pytest.mark.acceptance

GREEDY = {
    "endless": "let rec f = fun x => f x in f 1",
    "growing": 'let rec grow = fun text => grow (text ++ text) in grow "x"',
    "unfolding": "{ y = { foo = y } }",
    "computing": "std.to_string (std.number.pow 10 1000000000)",
    "long": 'std.string.join "" (std.array.replicate 100000000 "x")',
    "deep": "let rec f = fun n => if n == 0 then {} else { a = f (n - 1) } in f 100000",
}
FORBIDDEN = {
    "environment": 'import "/proc/self/environ"',
    "passwords": '{ name = import "/etc/passwd" as \'Text }',
    "parent": '{ name = import "../../secret.txt" as \'Text }',
    "disguised": 'let a = import # "x.ncl"\n "/etc/passwd" in a',
    "interpolated": 'import m%"/etc/passwd"%',
}


async def told(folder: Path, store: Path) -> list[str]:
    """Load a folder in which one node is good; return what is said of the others."""
    write(folder, {"good/node.ncl": node("good"), "good/run.nu": SCRIPT})

    loaded = await source(folder, store=store, limits=LOW_LIMITS).load()

    assert [each.node.name for each in loaded.definitions] == ["good"]
    return [str(each) for each in loaded.diagnostics]


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_nothing_outside_the_folder_is_imported(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"secret.txt": "secret"})
    folder = write(tmp_path / "nodes", {f"{name}.ncl": FORBIDDEN[name]})

    said = await told(folder, tmp_path / "store")

    assert len(said) == 1
    assert said[0].startswith(f"{name}.ncl:")
    assert "is not allowed" in said[0]


@pytest.mark.parametrize("name", GREEDY)
async def test_what_never_ends_or_grows_is_stopped(tmp_path: Path, name: str) -> None:
    greedy = node("greedy", f"labels.text = {GREEDY[name]},")
    folder = write(tmp_path / "nodes", {f"{name}.ncl": greedy, "run.nu": SCRIPT})

    said = await told(folder, tmp_path / "store")

    assert [each.partition(":")[0] for each in said] == [f"{name}.ncl"]


async def test_deep_nesting_is_refused_before_evaluation(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {"deep.ncl": "[" * 100_000 + "]" * 100_000})

    said = await told(folder, tmp_path / "store")

    assert said == ["deep.ncl:1:1: brackets are nested deeper than 200"]


async def test_nesting_without_brackets_ends_only_the_worker(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {"deep.ncl": "fun x => " * 50_000 + "x"})

    said = await told(folder, tmp_path / "store")

    assert [each.partition(":")[0] for each in said] == ["deep.ncl"]


async def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {})
    folder.mkdir()
    os.mkfifo(folder / "pipe.ncl")

    said = await told(folder, tmp_path / "store")

    assert said == [
        "pipe.ncl:1:1: is not a plain file (keep pipes, sockets and devices elsewhere)"
    ]


async def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {"huge.ncl": ""})
    os.truncate(folder / "huge.ncl", 1 << 30)

    said = await told(folder, tmp_path / "store")

    assert [each.partition(" (")[0] for each in said] == [
        "huge.ncl:1:1: has 1 GiB, of at most 1 MiB"
    ]


async def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {})
    folder.mkdir()
    (folder / "link.ncl").symlink_to("/etc/passwd")
    (folder / "root").symlink_to("/")

    said = await told(folder, tmp_path / "store")

    assert [each.partition(" (")[0] for each in said] == [
        "link.ncl:1:1: is a symbolic link",
        "root:1:1: is a symbolic link",
    ]


async def test_a_name_that_would_be_code_never_reaches_nickel(tmp_path: Path) -> None:
    folder = write(tmp_path / "nodes", {'%{1}".ncl': node()})

    said = await told(folder, tmp_path / "store")

    assert [each.partition(" (")[0] for each in said] == [
        '%{1}".ncl:1:1: is left out for its name'
    ]
