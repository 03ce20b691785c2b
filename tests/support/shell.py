"""The command line, run in this process against the home of a daemon."""

import json
from contextlib import chdir
from functools import partial
from pathlib import Path

import msgspec
from anyio import to_thread
from click.testing import CliRunner, Result

from stratum_orchestrator.cli.app import stratum
from stratum_orchestrator.client.answers import Address
from support.desk import TOKEN, MemoryDesk


class Shell:
    """A home whose daemon is the API over a desk, and commands run against it."""

    def __init__(self, home: Path, desk: MemoryDesk) -> None:
        self.home = home
        self.desk = desk

    async def run(self, *words: str) -> Result:
        """Run `stratum` with these words, in a thread, while the desk goes on answering."""
        words = (*words, "--home", str(self.home))
        return await to_thread.run_sync(partial(CliRunner().invoke, stratum, words))


def within(folder: Path, *words: str, wanted: int | None = None) -> Result:
    """Run `stratum` in a project folder; check its exit code when one is wanted.

    As a process would, without the second that it takes to start one.
    """
    with chdir(folder):
        done = CliRunner().invoke(stratum, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert wanted in (None, done.exit_code), f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def told(folder: Path, *words: str, wanted: int = 0) -> dict[str, object]:
    """The JSON that a command prints there."""
    done = within(folder, *words, "--output", "json", wanted=wanted)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def announce(home: Path, url: str, token: str = TOKEN) -> None:
    """Write what a daemon says about itself below its home."""
    (home / "run").mkdir(exist_ok=True)
    address = Address(http=url, nats="nats://127.0.0.1:1", pid=1, audience="a", stream="S")
    (home / "run" / "daemon.json").write_bytes(msgspec.json.encode(address))
    (home / "run" / "token").write_text(token + "\n")
