"""Nushell scripts in folders, and commands that run them."""

import os
import shutil
from pathlib import Path
from typing import TypedDict, Unpack

from stratum_graph.model import LeastLevel, Limits, OnLeak
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.ports import Command, Ended, Kind

PROJECT = Path(__file__).parents[2]
TOKEN = f"test{os.getpid()}"  # others test on the same machine at the same time


class Wishes(TypedDict, total=False):
    """What a test may want to be different in a command."""

    attempt: int
    containment: LeastLevel
    env: dict[str, str]
    kind: Kind
    limits: Limits
    network: bool
    node: str
    on_leak: OnLeak
    path: tuple[str, ...]
    pipeline: str
    read: tuple[str, ...]
    run: str
    std_lib: bool
    stdin: bytes
    secrets: dict[str, str]
    timeout_s: float
    write: tuple[str, ...]


def settings(folder: Path, **different: object) -> ExecutionSettings:
    """Return settings for a test, all folders below `folder`."""
    on_path = shutil.which("nu")
    chosen: dict[str, object] = {
        "data": folder / "data",
        "scratch": folder / "scratch",
        "token": TOKEN,
        "project": PROJECT,
        "grace_s": 0.3,
        "nu": Path(on_path) if on_path else None,
    }
    return ExecutionSettings(**(chosen | different))  # type: ignore[arg-type]


class Bench:
    """A runner and a folder of scripts."""

    def __init__(self, folder: Path, **different: object) -> None:
        """Set up below `folder`; the rest are settings."""
        self.tree = folder / "tree"
        self.tree.mkdir(parents=True)
        self.settings = settings(folder, **different)
        self.runner = NushellRunner(self.settings, lambda _: self.tree)
        self._scripts = 0

    def command(self, body: str, **wishes: Unpack[Wishes]) -> Command:
        """Return a command for a script whose `main` has this body."""
        self._scripts += 1
        name = f"run-{self._scripts}.nu"
        (self.tree / name).write_text(f"use stratum.nu *\ndef main [] {{\n{body}\n}}\n")
        return command(name, **wishes)

    async def run(self, body: str, **wishes: Unpack[Wishes]) -> Ended:
        return await self.runner.run(self.command(body, **wishes))


def command(script: str, **wishes: Unpack[Wishes]) -> Command:
    """Return a command for a script of the tree."""
    ordinary: Wishes = {
        "attempt": 1,
        "env": {},
        "kind": Kind.DO,
        "limits": Limits(),
        "network": False,
        "node": "lint",
        "path": (),
        "pipeline": "crate",
        "read": (),
        "run": "run-1",
        "std_lib": False,
        "stdin": b"{}",
        "timeout_s": 20,
        "write": (),
    }
    return Command(tree="sha256:0", script=script, **(ordinary | wishes))
