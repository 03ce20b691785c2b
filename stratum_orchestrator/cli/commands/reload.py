"""`stratum reload`."""

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.findings import lines
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Reload

_EXITS = {"refused": Exit.BAD_DEFINITIONS, "failed": Exit.UNAVAILABLE}


@click.command()
@click.option("--reason", default="asked for", show_default=True, help="It goes into the log.")
@faced
def reload(face: Face, reason: str) -> None:
    """Have the daemon read definitions, principals and policies now.

    It does so by itself at every change. What has errors is not taken: the daemon goes on with
    what it has, every finding is shown, and the exit code is 65.
    """
    told = {"reason": reason}
    came, raw = Daemon.at(face.home).command("/api/v1/reload", told, Reload)
    if face.screen.for_people:
        show(face.screen, came)
    else:
        face.screen.value(raw)
    if came.outcome in _EXITS:
        raise SystemExit(_EXITS[came.outcome])


def show(screen: Screen, came: Reload) -> None:
    """What came of an attempt: the nodes that are others, or the findings."""
    if came.outcome in _EXITS:
        screen.lines(lines(came.diagnostics))
        said = came.why if came.outcome == "failed" else "not taken"
        screen.line(
            sign("fail", unicode=screen.unicode),
            Span(f" {came.outcome}: ", "bad"),
            Span(f"{said}; {came.generation} stays in force"),
        )
        return
    parts = ((what, getattr(came, what)) for what in ("added", "changed", "removed"))
    named = "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)
    screen.line(
        sign("ok", unicode=screen.unicode),
        Span(f" {came.outcome}  ", "good"),
        Span(f"{named}  " if named else ""),
        Span(came.generation, "dim"),
    )
