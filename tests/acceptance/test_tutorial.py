"""The newcomer's path: what the tutorial says is typed as it stands there, and holds."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.daemon import REPOSITORY, with_patience
from support.typist import Part, Terminal, is_as_printed, parts

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

PAGE = (REPOSITORY / "docs" / "tutorial-first-node.md").read_text(encoding="utf-8")
SERVES = "stratum dev\n"


class Reader:
    """Follows the page from its first block to its last, in an empty folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._terminal = self._open()

    def _open(self) -> Terminal:
        environment = {
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],  # noqa: TID251 - a reader has Python somewhere
            "STRATUM_HTTP__PORT": "0",
        }
        return self._stack.enter_context(Terminal(self._folder, environment))

    def follow(self, found: Iterator[Part]) -> Iterator[tuple[str, str, str]]:
        """Commands with what the page shows below them, and what they printed."""
        typed = printed = ""
        for part in found:
            if part.file:
                self._write(part)
            elif part.text == SERVES:
                self._serve()
            elif part.kind == "sh":
                typed, printed = part.text, self._terminal.type(part.text)
            elif not part.kind:
                yield typed, part.text, printed

    def _write(self, part: Part) -> None:
        (self._folder / "guests" / part.file).write_text(part.text, encoding="utf-8")

    def _serve(self) -> None:
        """Leave the daemon in this terminal, and open another one when it is ready."""
        self._terminal.leave_running(SERVES, "daemon.log")
        guests = self._folder / "guests"
        while not (guests / ".stratum" / "run" / "daemon.json").exists():
            log = guests / "daemon.log"
            assert not log.exists() or "cannot start" not in log.read_text()
            with_patience()
        self._terminal = self._open()


def is_set_up() -> bool:
    """Whether `scripts/setup`, which the page types, has nothing left to do."""
    wanted = b"".join(
        (REPOSITORY / each).read_bytes() for each in ("constraints.txt", "pyproject.toml")
    )
    stamp = subprocess.run(["cksum"], input=wanted, capture_output=True, check=True).stdout
    found = REPOSITORY / ".venv" / "stamp"
    return found.exists() and found.read_bytes() == stamp


@pytest.mark.skipif(not is_set_up(), reason="scripts/setup has something to do: call it first")
def test_the_tutorial_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "stratum").symlink_to(REPOSITORY)

    with ExitStack() as stack:
        told = list(Reader(tmp_path, stack).follow(parts(PAGE)))

    assert len(told) > 8
    assert [each for each in told if not is_as_printed(each[1], each[2])] == []
