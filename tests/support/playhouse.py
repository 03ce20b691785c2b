"""Definitions from folders, and their cases played by real Nushell processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.directory import DirectorySource
from stratum_graph.model import Definition
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.saga.case import Case
from stratum_orchestrator.saga.rehearsal import PIPELINE, CaseResult, Places, rehearse
from support.scripts import PROJECT, settings

SHIPPED = PROJECT / "nodes"
LIBRARY = PROJECT / "ncl"


class Playhouse:
    """All definitions below one folder, loaded as the daemon loads them."""

    def __init__(self, nodes: Path, folder: Path) -> None:
        self._folder = folder
        self._content = ContentStore(folder / "content")
        self._source = DirectorySource([nodes], library=LIBRARY, content=self._content)
        self.definitions: Mapping[str, Definition] = {}
        """By the folder's path below `nodes`."""

    async def open(self) -> "Playhouse":
        """Load, once: nothing may be wrong with any definition."""
        loaded = await self._source.load()
        assert loaded.diagnostics == ()
        self.definitions = {str(Path(each.file).parent): each for each in loaded.definitions}
        return self

    async def play(self, node: str, case: Case, name: str = "stage") -> CaseResult:
        """Play a case; what has the same name has the same folders."""
        stage = self._folder / name
        chosen = settings(stage, **_tools())
        runner = NushellRunner(chosen, self._content.tree)
        places = Places(
            fixture=stage / "fixture",
            data=chosen.data / "pipelines" / PIPELINE,
            path=os.pathsep.join(chosen.path),
        )
        return await rehearse(self.definitions[node], case, runner, places)


def _tools() -> Mapping[str, object]:
    """This interpreter's programs, and Rust's where it is installed."""
    system = ("/usr/local/bin", "/usr/bin", "/bin")
    rust = _rust()
    return {
        "path": (f"{sys.prefix}/bin", *(f"{each}/bin" for each in rust), *system),
        "execute": (sys.prefix, sys.base_prefix, *rust),
    }


def _rust() -> tuple[str, ...]:
    compiler = shutil.which("rustc")
    if compiler is None:
        return ()
    asked = subprocess.run(  # the one on PATH may only be a proxy for it
        [compiler, "--print", "sysroot"], capture_output=True, text=True, check=False
    )
    return (asked.stdout.strip(),) if asked.returncode == 0 else ()
