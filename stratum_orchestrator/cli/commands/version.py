"""`stratum version`."""

import click

from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.release import version as installed


@click.command()
@faced
def version(face: Face) -> None:
    """Print the version."""
    if face.screen.for_people:
        face.screen.line(Span("stratum ", "strong"), Span(installed()))
    else:
        face.screen.value({"version": installed()})
