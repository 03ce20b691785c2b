"""What is read again, and what is known to be as it was."""

import os
from pathlib import Path

from stratum_graph.definitions.copies import Copies
from stratum_graph.definitions.snapshot import take
from support.definitions import SCRIPT, node, source, write


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path) -> None:
    copies = Copies()
    file = write(tmp_path, {"a.txt": "one"}) / "a.txt"
    as_it_was = file.stat()
    take([tmp_path], copies)

    file.write_text("two")
    os.utime(file, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))

    assert take([tmp_path], copies).files == {"a.txt": b"two"}


def test_a_file_that_has_rested_is_known_by_its_facts(tmp_path: Path) -> None:
    file = write(tmp_path, {"a.txt": "one"}) / "a.txt"
    facts = file.stat()
    rested = rested_since_long(facts)
    copies = Copies()

    copies.keep(facts, b"fresh")
    copies.keep(rested, b"old")
    copies.turn()

    assert (copies.get(facts), copies.get(rested)) == (None, b"old")


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    file = write(tmp_path, {"a.txt": "one"}) / "a.txt"
    rested = rested_since_long(file.stat())
    copies = Copies()
    copies.keep(rested, b"old")

    copies.turn()
    copies.turn()

    assert copies.get(rested) is None


async def test_while_nothing_changes_the_definitions_are_the_very_same(tmp_path: Path) -> None:
    watched = write(tmp_path / "nodes", {"node.ncl": node(), "run.nu": SCRIPT})
    loading = source(watched, store=tmp_path / "store")

    first, second = await loading.load(), await loading.load()

    assert second.definitions is first.definitions
    assert (first.evaluated, second.evaluated) == (("node.ncl",), ())


async def test_equal_files_in_another_folder_are_not_evaluated_again(tmp_path: Path) -> None:
    one, two = (
        write(tmp_path / name, {"a.ncl": node("a"), "run.nu": SCRIPT}) for name in ("1", "2")
    )
    write(two, {"b.ncl": node("b")})
    loading = source(one, store=tmp_path / "store")
    await loading.load()

    loading.turn_to([two], loading.library)
    loaded = await loading.load()

    assert loaded.evaluated == ("b.ncl",)
    assert [each.node.name for each in loaded.definitions] == ["a", "b"]


def rested_since_long(facts: os.stat_result) -> os.stat_result:
    """The same facts of a file that nobody has touched for years."""
    times = {"st_mtime_ns": 10**18, "st_ctime_ns": 10**18}
    return os.stat_result(tuple(facts), {**_named(facts), **times})


def _named(facts: os.stat_result) -> dict[str, int]:
    return {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
