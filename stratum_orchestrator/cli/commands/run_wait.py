"""`stratum run wait`."""

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.names import RUN
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.pursuit import Pursuit, worst
from stratum_orchestrator.cli.watch import Deadline


@click.command()
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True, type=RUN)
@click.option("--timeout", type=click.FloatRange(0), help="Seconds to wait at most.")
@faced
def wait(face: Face, run_ids: tuple[str, ...], timeout: float | None) -> None:
    """Wait until runs have ended; the exit code tells how: the worst of them counts."""
    pursuit = Pursuit(wait=True)
    ended = pursuit.follow(Daemon.at(face.home), face.screen, run_ids, Deadline(timeout))
    if not face.screen.for_people:
        face.screen.values([each.raw for each in ended])
    raise SystemExit(worst(ended))
