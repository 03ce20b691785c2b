"""`stratum dev` and `stratum serve`: the daemon itself, in the foreground."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from stratum_orchestrator.boot.launch import Launch
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_orchestrator.cli.emission import Emission
    from stratum_orchestrator.startup import StartFailed

_CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Instead of the project's stratum.ncl.",
)


class NotStarted(Stop):
    """A step of the start failed."""

    def __init__(self, failure: "StartFailed") -> None:
        super().__init__(str(failure), remedy="`stratum doctor` looks at what is needed")
        self.code = Exit(failure.code)


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
    from stratum_orchestrator.cli.emission import Emission

    subject = asked["subject"]
    if asked["once"] and subject is None:
        raise click.UsageError("--once needs --emit SUBJECT")  # noqa: TRY003 - click's own
    errand = None
    if subject is not None:
        event = Emission(subject=subject, data=asked["data"], who=asked["who"], watch=True)
        errand = partial(_emit, face, event)
    # what the daemon says about itself would run through the picture of the run
    flags = {} if subject is None else {"log.level": "warning"}
    launch = Launch(
        home=face.home,
        dev=True,
        file=asked["file"],
        flags=flags,
        errand=errand,
        once=asked["once"],
    )
    _run(launch)


@click.command()
@_CONFIG
@faced
def serve(face: Face, file: Path | None) -> None:
    """Run the daemon with the broker and the store that the configuration names."""
    _run(Launch(home=face.home, dev=False, file=file))


def _run(launch: Launch) -> None:
    from stratum_orchestrator.boot import daemon
    from stratum_orchestrator.startup import StartFailed

    try:
        code = daemon.run(launch)
    except StartFailed as failure:
        NotStarted(failure).show(sys.stderr)
        code = failure.code
    daemon.leave(code)


def _emit(face: Face, event: "Emission") -> int:
    from stratum_orchestrator.cli.emission import emit

    try:
        return emit(face, event)
    except Stop as stop:
        stop.show(sys.stderr)
        return int(stop.exit_code)
