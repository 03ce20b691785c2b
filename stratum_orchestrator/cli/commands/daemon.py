"""`stratum dev` and `stratum serve`: the daemon itself, in the foreground."""

from pathlib import Path
from typing import TypedDict, Unpack

import click

from stratum_orchestrator.cli.options import Face, faced

_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Instead of the project's stratum.ncl.",
)


class Asked(TypedDict):
    """The options of `dev`."""

    config: Path | None
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
    from stratum_orchestrator import boot  # noqa: PLC0415 - nothing else of this file needs it

    if asked["once"] and not asked["subject"]:
        raise click.UsageError("--once needs --emit SUBJECT")

    def follow() -> int:
        from stratum_orchestrator.cli.emission import Emission, emit  # noqa: PLC0415

        event = Emission(
            subject=asked["subject"] or "", data=asked["data"], who=asked["who"], watch=True
        )
        return emit(face, event)

    raise SystemExit(
        boot.main(
            face.home,
            config=asked["config"],
            dev=True,
            errand=follow if asked["subject"] else None,
            once=asked["once"],
        )
    )


@click.command()
@_CONFIG
@faced
def serve(face: Face, config: Path | None) -> None:
    """Run the daemon with the brokers and stores that the configuration names."""
    from stratum_orchestrator import boot  # noqa: PLC0415

    raise SystemExit(boot.main(face.home, config=config))
