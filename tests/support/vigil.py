"""A watch over each daemon of a test: at its end, nothing secret may have been left anywhere.

Files, log, answers, what commands printed and command lines of processes are looked through.
No test has to ask for it, and none can forget it.
"""

import shlex
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import confidential
from support.processes import descendants

_EVERY_S = 0.1
_TELLING = (("tokens", "add"), ("ui",), ("keys", "new"))
"""Commands that tell a secret because that is what they are for, once and to who asked."""

VIGILS: list["Vigil"] = []
"""Those that are kept, and those whose daemon has ended without a last look."""


@dataclass
class Tally:
    """What all looks of this process have come to."""

    lives: int = 0
    needles: int = 0
    size: int = 0
    commands: int = 0


TALLY = Tally()


class Vigil:
    """Kept over one daemon, through all its lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid = 0
        """Of the daemon, while it lives."""
        self.commands: set[bytes] = set()
        self._heard: list[bytes] = []

    def begin(self, pid: int) -> None:
        """Watch the daemon's processes from now on."""
        self.pid = pid
        if self not in VIGILS:
            VIGILS.append(self)
        _WATCH.ensure()

    def hear(self, said: bytes | str) -> None:
        """Remember what somebody was told."""
        self._heard.append(said.encode() if isinstance(said, str) else said)

    def hear_command(self, words: Sequence[str], said: str) -> None:
        """Remember what a command printed, unless it is there to tell a secret."""
        if any(tuple(words[: len(each)]) == each for each in _TELLING):
            return
        self.hear(shlex.join(words))
        self.hear(said)

    def hear_typed(self, commands: str, said: str) -> None:
        """Likewise of what a page has its readers type."""
        if not any(f"stratum {' '.join(each)}" in commands for each in _TELLING):
            self.hear(commands)
            self.hear(said)

    def sample(self) -> None:
        """Take note of the command lines of now."""
        for pid in (self.pid, *descendants(self.pid)) if self.pid else ():
            with suppress(OSError):
                self.commands.add(Path(f"/proc/{pid}/cmdline").read_bytes())

    def gather(self) -> None:
        """Confide what the product itself has made and keeps."""
        for file in confidential.files(self.folder):
            is_seed = file.suffix == ".nk"
            if is_seed or file.match(".stratum/run/token"):
                what = f"the seed {file.name}" if is_seed else "the token of the home"
                with suppress(FileNotFoundError):  # of another daemon, which ends
                    confidential.confide(file.read_text().strip(), what)

    def end(self) -> None:
        """Look through everything; the test fails when something secret is there."""
        self.pid = 0
        if self in VIGILS:
            VIGILS.remove(self)
        self.gather()
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "heard"
            said.write_bytes(b"\n".join(self._heard))
            seen = Path(folder) / "command-lines"
            seen.write_bytes(b"\n".join(self.commands))
            looked = confidential.look([self.folder, said, seen])
        TALLY.lives += 1
        TALLY.needles = max(TALLY.needles, looked.needles)
        TALLY.size += looked.size
        TALLY.commands += len(self.commands)
        assert looked.needles > len(confidential.FORMS)
        assert looked.size > 0
        assert looked.hits == (), "\n".join(looked.hits)
        assert confidential.unguarded(self.folder) == []


class _Watch:
    """One thread for all."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="vigils")
            self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_EVERY_S):
            for each in VIGILS:
                each.sample()


_WATCH = _Watch()


@pytest.fixture(autouse=True)
def _last_look() -> Iterator[None]:
    """After each test: whoever has ended a daemon by itself is looked after here."""
    yield
    for each in VIGILS:
        if each.pid and not Path(f"/proc/{each.pid}").exists():
            each.end()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what it has come to to whoever runs the processes of tests."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["vigils"] = vars(TALLY)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a process of tests has come to."""
    found = getattr(node, "workeroutput", {}).get("vigils", {})
    for name, value in found.items():
        setattr(TALLY, name, getattr(TALLY, name) + value)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how much was looked through, so that nobody takes nothing for a clean bill."""
    if TALLY.lives:
        terminalreporter.write_line(
            f"secrets: {TALLY.needles} notations of what is secret, looked for in "
            f"{TALLY.size / 2**20:.1f} MiB and {TALLY.commands} command lines of "
            f"{TALLY.lives} daemons"
        )
