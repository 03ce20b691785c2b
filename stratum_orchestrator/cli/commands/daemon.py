"""`stratum dev` and `stratum serve`: the daemon itself, in the foreground."""

import sys
from pathlib import Path
from typing import TypedDict, Unpack

import click

from stratum_orchestrator import boot
from stratum_orchestrator.cli.emission import Emission, emit
from stratum_orchestrator.cli.exits import Stop
from stratum_orchestrator.cli.options import Face, faced

_CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Instead of the project's stratum.ncl.",
)


class Asked(TypedDict):
    """The options of `dev`."""

    file: Path | None
    subject: str | None
    data: str
    who: str
    once: bool


@click.command()
@_CONFIG
@click.option("--emit", "subject", metavar="SUBJECT", help="Publish one event when ready.")
@click.option("--data", "-d", default="{}", show_default=True, help="Its JSON, @FILE, or -.")
@click.option("--as", "who", default="developer", show_default=True, help="Whose key signs it.")
@click.option("--once", is_flag=True, help="Stop when its runs have ended.")
@faced
def dev(face: Face, **asked: Unpack[Asked]) -> None:
    """Run everything here, for development: broker, store and daemon, in one process.

    With --emit and --once, the exit code tells how the event's runs ended.
    """
    subject = asked["subject"]
    if subject is None:
        if asked["once"]:
            raise click.UsageError("--once needs --emit SUBJECT")  # noqa: TRY003 - click's own
        raise SystemExit(boot.main(face.home, config=asked["file"], dev=True))
    event = Emission(subject=subject, data=asked["data"], who=asked["who"], watch=True)
    raise SystemExit(
        boot.main(
            face.home,
            config=asked["file"],
            dev=True,
            errand=lambda: _emitted(face, event),
            once=asked["once"],
        )
    )


@click.command()
@_CONFIG
@faced
def serve(face: Face, file: Path | None) -> None:
    """Run the daemon with the broker and the store that the configuration names."""
    raise SystemExit(boot.main(face.home, config=file))


def _emitted(face: Face, event: Emission) -> int:
    # this runs beside the daemon: what goes wrong here must not end it
    try:
        return emit(face, event)
    except Stop as stop:
        stop.show(sys.stderr)
        return stop.exit_code
