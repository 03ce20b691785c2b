"""Scripts are parsed by the Nushell that will run them."""

import shutil
from pathlib import Path

import pytest

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.scripts import Nushell, ScriptChecker, check_scripts
from support.definitions import SCRIPT, node, source, write

BELOW = sorted((Path(__file__).parents[2] / "node_modules" / "@nushell").glob("*/bin/nu"))
NU = BELOW[0] if BELOW else shutil.which("nu")
pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(NU is None, reason="no `nu` here"),
]


async def complaints(tmp_path: Path, script: str) -> list[str]:
    watched = write(tmp_path / "nodes", {"lint/node.ncl": node(), "lint/run.nu": script})
    loaded = await source(watched, store=tmp_path / "store").load()
    nu = Nushell(Path(NU or ""), tmp_path)

    found = await check_scripts(
        loaded.definitions, content=ContentStore(tmp_path / "store"), nu=nu
    )

    return [str(each) for each in found]


async def test_a_script_that_parses_is_not_mentioned(tmp_path: Path) -> None:
    assert await complaints(tmp_path, SCRIPT) == []


async def test_a_script_that_does_not_parse_is_told_by_its_place(tmp_path: Path) -> None:
    said = await complaints(tmp_path, "def main [] {\n  let x = (\n}\n")

    assert said
    assert all(each.startswith("lint/run.nu:") for each in said)


async def test_of_many_scripts_exactly_the_bad_ones_are_told(tmp_path: Path) -> None:
    numbers = range(12)
    scripts = {f"n{each}/run.nu": SCRIPT + f"# {each}" for each in numbers}
    scripts |= {"n3/run.nu": "def main [] {", "n7/run.nu": "use nowhere.nu"}
    scripts |= {"n5/run.nu": "use beside.nu; def main [] { beside it }"}
    scripts |= {"n5/beside.nu": "export def it [] { 1 }"}
    nodes = {f"n{each}/node.ncl": node(f"n{each}") for each in numbers}
    watched = write(tmp_path / "nodes", scripts | nodes)
    loaded = await source(watched, store=tmp_path / "store").load()
    checker = ScriptChecker(ContentStore(tmp_path / "store"), Nushell(Path(NU or ""), tmp_path))

    found = await checker.check(loaded.definitions)

    assert {each.file for each in found} == {"n3/run.nu", "n7/run.nu"}
    assert await checker.check(loaded.definitions) == found
