"""`stratum lint`."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import click

from stratum_graph.diagnostics import Diagnostic
from stratum_graph.generation import compile_graph
from stratum_orchestrator.api import views
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.findings import lines
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.workspace import Workspace, placed, workspace


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@faced
def lint(face: Face, folder: Path | None) -> None:
    """Check all definitions, principals and policies, or the definitions below FOLDER.

    Every finding is reported at once; errors end with exit code 65.
    """
    found, nodes = anyio.run(_findings, face, folder)
    errors = sum(each.severity == "error" for each in found)
    if face.screen.for_people:
        face.screen.lines(lines(found))
        verdict = "fail" if errors else "warn" if found else "ok"
        face.screen.line(
            sign(verdict, unicode=face.screen.unicode),
            Span(f" {nodes} nodes: {errors} errors, {len(found) - errors} warnings"),
        )
    else:
        face.screen.values([views.diagnostic(each) for each in found])
    if errors:
        raise SystemExit(Exit.BAD_DEFINITIONS)


async def _findings(face: Face, folder: Path | None) -> tuple[Sequence[Diagnostic], int]:
    async with workspace(face) as place:
        folders = (folder,) if folder else place.folders
        loaded = await place.load(folders)
        subjects = place.settings.nats.subjects
        compiled = compile_graph(loaded.definitions, subjects=subjects)
        found = [*loaded.diagnostics, *placed(compiled.diagnostics, folders)]
        if folder is None:
            found += await _of_people(place)
    return found, len(loaded.definitions)


async def _of_people(place: Workspace) -> list[Diagnostic]:
    _, found = await place.principals()
    try:
        PolicySet.load(place.policies)
    except BadPolicies as bad:
        return [*found, *bad.diagnostics]
    return list(found)
