"""Playing the cases of nodes: really run, contained as ever."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from stratum_graph.model import Definition
from stratum_orchestrator import knowledge
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.workspace import BadDefinitions, Workspace, workspace
from stratum_orchestrator.execution.errors import ExecutionError
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.saga import case as cases
from stratum_orchestrator.saga.case import Case, CaseError
from stratum_orchestrator.saga.rehearsal import PIPELINE, CaseResult, Places, rehearse


class NoCase(Stop):
    """There is nothing to play."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"no node with a {cases.FILE} in {folder}",
            remedy="write one beside its node.ncl; `stratum new node` shows how",
            code=Exit.NOT_FOUND,
        )


class Played(NamedTuple):
    """A node and what came of one of its cases."""

    node: str
    result: CaseResult
    folder: Path


async def play_all(face: Face, folder: Path) -> list[Played]:
    """Play every case below a folder; raises NoCase, BadDefinitions."""
    async with workspace(face) as project:
        place = project.only(folder)
        loaded = await knowledge.source(place.sources, place.content).load()
        tell(face.screen, place.placed(loaded.diagnostics))
        errors = sum(each.severity == "error" for each in loaded.diagnostics)
        if errors:
            raise BadDefinitions(errors)
        played = [
            Played(definition.node.name, await _play(place, definition, case), below)
            for definition in loaded.definitions
            for below in [folder / Path(definition.file).parent]
            for case in _cases(below)
        ]
    if not played:
        raise NoCase(folder)
    return played


async def _play(place: Workspace, definition: Definition, case: Case) -> CaseResult:
    with TemporaryDirectory(prefix="stratum-") as stage:
        settings = place.execution(Path(stage))
        places = Places(
            fixture=Path(stage) / "fixture",
            data=settings.data / "pipelines" / PIPELINE,
            path=os.pathsep.join(settings.path),
        )
        try:
            runner = NushellRunner(settings, place.content.tree)
        except ExecutionError as error:
            raise Stop(str(error), code=Exit.UNAVAILABLE) from None
        return await rehearse(definition, case, runner, places)


def _cases(folder: Path) -> tuple[Case, ...]:
    try:
        return cases.read(folder)
    except CaseError as error:
        raise Stop(str(error), code=Exit.BAD_DEFINITIONS) from None
