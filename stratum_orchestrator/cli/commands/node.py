"""`stratum node`: a node on its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_orchestrator.cli.playing import Played


@click.group()
def node() -> None:
    """Test nodes on their own."""


@node.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@faced
def test(face: Face, folder: Path) -> None:
    """Play the cases of the nodes in and below FOLDER, really run, contained as ever."""
    from stratum_orchestrator.cli.playing import play_all

    played = anyio.run(play_all, face, folder)
    if face.screen.for_people:
        for each in played:
            face.screen.lines(_lines(each, unicode=face.screen.unicode))
    else:
        face.screen.values([_view(each) for each in played])
    if any(each.result.problems for each in played):
        raise SystemExit(Exit.FAILED)


def _lines(played: "Played", *, unicode: bool) -> Iterator[Line]:
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


def _view(played: "Played") -> dict[str, object]:
    result = played.result
    return {
        "node": played.node,
        "case": result.case,
        "ok": not result.problems and not result.skipped,
        "skipped": result.skipped or None,
        "problems": list(result.problems),
    }
