"""`stratum run logs`."""

from collections.abc import Iterator
from typing import NamedTuple

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import mark
from stratum_orchestrator.cli.meant import meant
from stratum_orchestrator.cli.names import NODE, RUN
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.watch import Deadline, states
from stratum_orchestrator.client.answers import Log, Logs, Run


class NoNode(Stop):
    """The run has no such node."""

    def __init__(self, run: Run, node: str) -> None:
        super().__init__(
            f"run {run.id} has no node {node!r}",
            remedy=meant(node, (name for stage in run.stages for name in stage)),
            code=Exit.NOT_FOUND,
        )


class Said(NamedTuple):
    """What one attempt said: decoded, and as plain JSON."""

    log: Log
    raw: object


@click.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.argument("node", metavar="[NODE]", required=False, type=NODE)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@click.option("--tail", type=click.IntRange(1), help="Of each attempt only so many lines.")
@faced
def logs(face: Face, run_id: str, node: str | None, tail: int | None, *, follow: bool) -> None:
    """Show what the scripts of a run said on stderr, in the order of their beginnings.

    What a script says is on record when its attempt has ended. With --follow, the exit code
    is 0 however the run ends: `stratum run wait` tells that.
    """
    daemon = Daemon.at(face.home)
    run, _ = daemon.ask(f"/api/v1/runs/{run_id}", Run)
    if node is not None and all(node not in stage for stage in run.stages):
        raise NoNode(run, node)
    said = _followed(daemon, run.id, node) if follow else iter(_read(daemon, run.id, node))
    if face.screen.output == "json":
        face.screen.value([each.raw for each in said])
        return
    silent = True
    for each in said:
        silent = silent and not each.log.stderr
        if face.screen.for_people:
            face.screen.lines(_lines(each.log, tail))
        else:
            face.screen.value(each.raw)
    if silent:
        face.screen.note("nothing is on record that its scripts said on stderr")


def _followed(daemon: Daemon, run_id: str, node: str | None) -> Iterator[Said]:
    told: set[tuple[str, str, int]] = set()
    for _ in states(daemon, run_id, Deadline(None)):
        for each in _read(daemon, run_id, node):
            key = (each.log.node, each.log.script, each.log.attempt)
            if each.log.ended is not None and key not in told:
                told.add(key)
                yield each


def _read(daemon: Daemon, run_id: str, node: str | None) -> list[Said]:
    found, raw = daemon.ask(f"/api/v1/runs/{run_id}/logs", Logs, {"node": node})
    raws = raw["logs"] if isinstance(raw, dict) else []
    return [Said(*each) for each in zip(found.logs, raws, strict=True)]


def _lines(log: Log, tail: int | None) -> Iterator[Line]:
    undo = "undo " if log.script == "undo" else ""
    attempt = f"#{log.attempt}" if log.attempt > 1 else ""
    who = Span(f"{undo}{log.node}{attempt} | ", mark(log.status).style)
    for text in log.stderr.splitlines()[-(tail or 0) :]:
        yield [who, Span(text)]
