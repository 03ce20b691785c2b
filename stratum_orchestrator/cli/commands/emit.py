"""`stratum emit`."""

from typing import TypedDict, Unpack

import click

from stratum_orchestrator.cli.names import KEY
from stratum_orchestrator.cli.options import Face, faced


class Asked(TypedDict):
    """The options of an emission."""

    data: str
    event_id: str | None
    who: str
    grant: str
    version: str
    wait: bool
    watch: bool
    timeout_s: float


@click.command()
@click.argument("subject")
@click.option(
    "--data", "-d", default="{}", show_default=True, help="JSON, @FILE, or - for stdin."
)
@click.option("--id", "event_id", help="The event's id; the same id is never run twice.")
@click.option(
    "--as",
    "who",
    metavar="NAME|KEYFILE",
    default="developer",
    type=KEY,
    show_default=True,
    help="Whose key signs it.",
)
@click.option(
    "--grant", default="", metavar="TEXT|@FILE", help="Of the user on whose behalf it is sent."
)
@click.option(
    "--version",
    default="",
    metavar="DIGEST|NAME",
    help="Of the definitions that are to judge it, instead of what is in force.",
)
@click.option("--wait", is_flag=True, help="Until its runs have ended.")
@click.option("--watch", is_flag=True, help="Likewise, and show them.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1),
    default=600.0,
    show_default=True,
    help="Seconds to wait at most.",
)
@faced
def emit(face: Face, subject: str, **asked: Unpack[Asked]) -> None:
    """Sign an event and publish it under SUBJECT; say what became of it.

    With --wait or --watch, the exit code tells how its runs ended.
    """
    from stratum_orchestrator.cli.emission import Emission, emit as publish_and_follow

    raise SystemExit(publish_and_follow(face, Emission(subject=subject, **asked)))
