"""`stratum node`: a node on its own."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio
import click

from stratum_graph.definitions.directory import DirectorySource
from stratum_graph.model import Definition
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.findings import tell
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
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


@click.group()
def node() -> None:
    """Test nodes on their own."""


@node.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@faced
def test(face: Face, folder: Path) -> None:
    """Play the cases of the nodes in and below FOLDER, really run, contained as ever."""
    played = anyio.run(_play_all, face, folder)
    if face.screen.for_people:
        for each in played:
            face.screen.lines(_lines(each, unicode=face.screen.unicode))
    else:
        face.screen.values([_view(each) for each in played])
    if any(each.result.problems for each in played):
        raise SystemExit(Exit.FAILED)


async def _play_all(face: Face, folder: Path) -> list[Played]:
    async with workspace(face) as project:
        place = project.only(folder)
        source = DirectorySource([folder], library=place.sources.library, content=place.content)
        loaded = await source.load()
        tell(face.screen, loaded.diagnostics)
        errors = sum(each.severity == "error" for each in loaded.diagnostics)
        if errors:
            raise BadDefinitions(errors)
        played = [
            Played(definition.node.name, await _play(place, definition, case))
            for definition in loaded.definitions
            for case in _cases(folder / Path(definition.file).parent)
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


def _lines(played: Played, *, unicode: bool) -> Iterator[Line]:
    result = played.result
    status = "fail" if result.problems else "skipped" if result.skipped else "ok"
    yield [
        sign(status, unicode=unicode),
        Span(f" {played.node}", "strong"),
        Span(f"  {result.case}"),
        Span(f"  skipped: {result.skipped}" if result.skipped else "", "dim"),
    ]
    for problem in result.problems:
        for line in problem.splitlines():
            yield [Span(f"    {line}", "bad")]


def _view(played: Played) -> dict[str, object]:
    result = played.result
    return {
        "node": played.node,
        "case": result.case,
        "ok": not result.problems and not result.skipped,
        "skipped": result.skipped or None,
        "problems": list(result.problems),
    }
