"""`stratum compensation`: what was not undone, tried again or accepted."""

from typing import Unpack
from urllib.parse import quote

import click

from stratum_orchestrator.cli.decree import (
    Followed,
    following,
    reason,
    tell,
    tell_and_follow,
)
from stratum_orchestrator.cli.names import NODE, RUN
from stratum_orchestrator.cli.options import Face, faced


@click.group()
def compensation() -> None:
    """Look after a compensation that failed. An ID may be a unique beginning."""


@compensation.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.argument("node", type=NODE)
@reason
@following
@faced
def retry(face: Face, run_id: str, node: str, reason: str, **far: Unpack[Followed]) -> None:
    """Try the failed compensation of NODE in run ID again.

    It gets as many attempts as at first. The run is then judged anew: clean when nothing is
    left that was not undone.
    """
    told = {"reason": reason}
    raise SystemExit(tell_and_follow(face, _path(run_id, node, "retry"), told, **far))


@compensation.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.argument("node", type=NODE)
@reason
@faced
def waive(face: Face, run_id: str, node: str, reason: str) -> None:
    """Accept that NODE in run ID was not undone: it was settled otherwise, or may stay.

    The run stays partial, and needs nobody any more when all that failed is waived.
    """
    tell(face, _path(run_id, node, "waive"), {"reason": reason}, "waived")


def _path(run_id: str, node: str, verb: str) -> str:
    return f"{run_id}/compensations/{quote(node, safe='')}/{verb}"
