"""A daemon as a process of its own, in a project folder of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from support.vigil import Vigil

REPOSITORY = Path(__file__).parents[2]
_STARTS_WITHIN_S = 60
_STOPS_WITHIN_S = 30
_RUN = """
def main [] {
  let given = $in | from json
  { NAME: { event: $given.event.id } } | to json --raw
}
"""


class Daemon:
    """`stratum dev` in a folder; every start is a new process on what the last one left."""

    def __init__(
        self,
        project: Path,
        settings: Mapping[str, str] | None = None,
        around: Path | None = None,
    ) -> None:
        """`around` is the folder that nothing secret may be left in."""
        self.project = project
        self.home = project / ".stratum"
        self.environment = {
            **os.environ,  # noqa: TID251 - a child of ours gets what we have
            "PYTHONPATH": str(REPOSITORY),
            "STRATUM_HTTP__PORT": "0",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.vigil = Vigil(around or project)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return (self.project / "daemon.log").read_text()

    @property
    def address(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.home / "run" / "daemon.json").read_text())
        return found

    @property
    def token(self) -> str:
        return (self.home / "run" / "token").read_text().strip()

    def start(self) -> None:
        """Start it and wait until it is ready; what it said, if it ends instead."""
        process = self.begin()
        deadline = monotonic() + _STARTS_WITHIN_S
        while not (self.home / "run" / "daemon.json").exists():
            if process.poll() is not None or monotonic() > deadline:
                pytest.fail(f"the daemon did not start:\n{self.log}")
            with_patience()

    def begin(self) -> subprocess.Popen[bytes]:
        """Start it; it is not ready yet."""
        (self.home / "run" / "daemon.json").unlink(missing_ok=True)
        with (self.project / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stratum_orchestrator", "dev"],
                cwd=self.project,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.vigil.begin(self._process.pid)
        return self._process

    def ensure(self) -> None:
        """Start it unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(_STOPS_WITHIN_S)

    def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self._process is not None
        return self._process.wait(_STARTS_WITHIN_S)

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        if self._process is not None:
            self.vigil.end()

    def cli(self, *words: str, wanted: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line in the project; check its exit code when one is wanted."""
        done = subprocess.run(
            [sys.executable, "-m", "stratum_orchestrator", *words],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.vigil.hear_command(words, done.stdout + done.stderr)
        assert wanted in (None, done.returncode), f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def answer(self, *words: str, wanted: int = 0) -> dict[str, object]:
        """The JSON that a command prints."""
        done = self.cli(*words, "--output", "json", wanted=wanted)
        found: dict[str, object] = json.loads(done.stdout)
        return found


def with_patience() -> None:
    """Let another process have the core; the caller looks at its condition again."""
    signal.sigtimedwait([], 0.02)


@contextmanager
def running(project: Path, settings: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    daemon = Daemon(project, settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.end()


@contextmanager
def greeting(project: Path) -> Iterator[Daemon]:
    """A daemon with one pipeline, `greet`, which `events.greet` opens."""
    write_node(
        project,
        "greet",
        'trigger = { pipeline = "greet", subjects = ["events.greet"] }, '
        'produces = ["greet"], handler.script = "run.nu", effect = \'pure',
    )
    with running(project) as up:
        yield up


def write_node(project: Path, name: str, declared: str, run: str = "", undo: str = "") -> None:
    """A node in the project's `nodes` folder; `run` defaults to one that gives NAME."""
    folder = project / "nodes" / name
    folder.mkdir(parents=True)
    body = f'let stratum = import "stratum.ncl" in {{ name = "{name}", {declared} }}'
    (folder / "node.ncl").write_text(body)
    (folder / "run.nu").write_text(run or _RUN.replace("NAME", name))
    if undo:
        (folder / "undo.nu").write_text(undo)
