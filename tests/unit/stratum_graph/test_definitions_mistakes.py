"""Typical mistakes, and what their authors are told: `tests/mistakes/said.txt` is the table."""

from collections.abc import Mapping

import anyio
import pytest

from support.definitions import REPOSITORY, source

FOLDER = REPOSITORY / "tests" / "mistakes"
SAID = {line.partition(":")[0]: line for line in (FOLDER / "said.txt").read_text().splitlines()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """By file: what the loader says about it."""
    loaded = anyio.run(source(FOLDER, store=tmp_path_factory.mktemp("store")).load)
    by_file: dict[str, list[str]] = {path.name: [] for path in FOLDER.glob("*.ncl")}
    for diagnostic in loaded.diagnostics:
        by_file[diagnostic.file].append(str(diagnostic))
    return by_file


@pytest.mark.parametrize("file", SAID)
def test_a_mistake_is_told_by_place_and_remedy(
    told: Mapping[str, list[str]], file: str
) -> None:
    assert told[file] == [SAID[file]]


def test_every_file_with_a_mistake_is_in_the_table(told: Mapping[str, list[str]]) -> None:
    assert told.keys() == SAID.keys()
