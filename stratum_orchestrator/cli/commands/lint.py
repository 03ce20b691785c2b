"""`stratum lint`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from stratum_graph.definitions.scripts import Nushell
from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.findings import lines
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.execution.binary import find
from stratum_orchestrator.execution.errors import ExecutionError

if TYPE_CHECKING:
    from stratum_orchestrator.cli.workspace import Workspace


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@faced
def lint(face: Face, folder: Path | None) -> None:
    """Check all definitions, scripts, principals and policies, or what is below FOLDER.

    Every finding is reported at once; errors end with exit code 65.
    """
    from stratum_orchestrator.api import views

    found = anyio.run(_findings, face, folder)
    errors = sum(each.severity == "error" for each in found)
    if face.screen.for_people:
        face.screen.lines(lines(found))
        verdict = "fail" if errors else "warn" if found else "ok"
        face.screen.line(
            sign(verdict, unicode=face.screen.unicode),
            Span(f" {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}"),
        )
    else:
        face.screen.values([views.diagnostic(each) for each in found])
    if errors:
        raise SystemExit(Exit.BAD_DEFINITIONS)


async def _findings(face: Face, folder: Path | None) -> Sequence[Diagnostic]:
    from stratum_orchestrator.cli.workspace import workspace

    async with workspace(face) as place:
        chosen = place.only(folder) if folder else place
        _, found = await chosen.graph(_nushell(chosen))
        people = [] if folder else await _of_people(place)
        return (*found, *people)


async def _of_people(place: "Workspace") -> list[Diagnostic]:
    from stratum_orchestrator.auth.cedar import PolicySet

    _, found = await place.principals()
    try:
        PolicySet.load(place.sources.policies)
    except BadPolicies as bad:
        return [*found, *bad.diagnostics]
    return list(found)


def _nushell(place: "Workspace") -> Nushell | None:
    from stratum_orchestrator.execution.nushell import LIBRARY

    try:
        return Nushell(Path(find(place.execution(place.project))), LIBRARY)
    except ExecutionError:
        return None  # `stratum doctor` tells; what needs no Nushell is checked all the same


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
