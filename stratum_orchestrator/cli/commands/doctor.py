"""`stratum doctor`."""

from typing import TYPE_CHECKING

import anyio
import click

from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_orchestrator.cli.checkup import Finding


@click.command()
@faced
def doctor(face: Face) -> None:
    """Check what Stratum needs of this machine and of this home, and say how to mend it.

    Ends with exit code 1 when something that it cannot do without is missing.
    """
    from stratum_orchestrator.cli.checkup import examine

    found = anyio.run(examine, face)
    if face.screen.for_people:
        columns = max(len(each.name) for each in found)
        for each in found:
            face.screen.lines(_lines(each, columns, unicode=face.screen.unicode))
    else:
        face.screen.values([each._asdict() for each in found])
    if any(each.status == "fail" for each in found):
        raise SystemExit(Exit.FAILED)


def _lines(found: "Finding", columns: int, *, unicode: bool) -> list[Line]:
    line = [
        sign(found.status, unicode=unicode),
        Span(" "),
        word(found.status, len("warn") + 1),
        Span(f"{found.name:<{columns}}  ", "strong"),
        Span(found.detail),
    ]
    remedy = [Span(f"        {'':<{columns}}{found.remedy}", "dim")]
    return [line, remedy] if found.remedy else [line]
