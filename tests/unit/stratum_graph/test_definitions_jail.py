"""Where evaluations find what they may read."""

import sys
from pathlib import Path

import anyio
import pytest

from stratum_graph.definitions import jail

FILES = {"lib/node.ncl": b"1", "src/lint/node.ncl": b"2", "overrides.json": b"{}"}


def below(folder: Path) -> list[Path]:
    return [each.resolve() for each in folder.iterdir()]


def held(place: Path) -> dict[str, bytes]:
    return {
        file.relative_to(place).as_posix(): file.read_bytes()
        for file in place.rglob("*")
        if file.is_file()
    }


async def test_it_holds_exactly_the_files_for_nobody_else_and_goes_away() -> None:
    async with jail.laid_out(FILES) as place:
        assert held(place) == FILES
        assert place.stat().st_mode & 0o777 == 0o700
    assert not place.exists()


@pytest.mark.parametrize("useless", ["missing", "/proc"])
async def test_without_room_it_is_made_in_the_next_place(tmp_path: Path, useless: str) -> None:
    async with jail.laid_out(FILES, [tmp_path / useless, tmp_path]) as place:
        assert below(tmp_path) == [place]
        assert held(place) == FILES


async def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File name too long"):
        async with jail.laid_out({"src/" + "a" * 300: b""}, [tmp_path]):
            pass

    assert below(tmp_path) == []


async def test_what_a_killed_process_left_is_cleared_and_what_is_in_use_is_not(
    tmp_path: Path,
) -> None:
    killed = (
        "import anyio, os, pathlib, sys\n"
        "from stratum_graph.definitions import jail\n"
        "async def main():\n"
        "    async with jail.laid_out({'a': b''}, [pathlib.Path(sys.argv[1])]):\n"
        "        os._exit(0)\n"
        "anyio.run(main)\n"
    )
    await anyio.run_process([sys.executable, "-c", killed, str(tmp_path)])
    assert len(below(tmp_path)) == 1

    async with jail.laid_out(FILES, [tmp_path]) as place:
        assert jail.clear([tmp_path, tmp_path]) == 1
        assert below(tmp_path) == [place]
