"""`stratum runs`."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.meant import meant
from stratum_orchestrator.cli.moment import between, spent
from stratum_orchestrator.cli.names import PIPELINE
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.pages import gather
from stratum_orchestrator.cli.portrait import needs
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Pipelines, Run, Runs
from stratum_orchestrator.client.client import Query

STATUSES = (
    "accepted",
    "running",
    "suspended",
    "completed",
    "compensating",
    "compensated",
    "abandoned",
)
_HEADS = ("", "run", "status", "pipeline", "accepted", "took", "by", "subject", "cause")


class NoPipeline(Stop):
    """There is no such pipeline, and no run of it."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no pipeline is called {name!r}", remedy=meant(name, known), code=Exit.NOT_FOUND
        )


class Wanted(TypedDict):
    """The filters."""

    status: str | None
    pipeline: str | None


@click.command()
@click.option("--status", type=click.Choice(STATUSES), help="Only runs of this status.")
@click.option("--pipeline", type=PIPELINE, help="Only runs of this pipeline.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many."
)
@click.option("--attention", is_flag=True, help="Only runs that need a person, and why.")
@faced
def runs(face: Face, limit: int, *, attention: bool, **wanted: Unpack[Wanted]) -> None:
    """List runs, newest first."""
    if attention and any(wanted.values()):
        message = "--attention lists all runs that need a person: give no other filter"
        raise click.UsageError(message)
    daemon = Daemon.at(face.home)
    query: Query = {"status": wanted["status"], "pipeline": wanted["pipeline"]}
    query = {"attention": "true"} if attention else query
    found = gather(
        lambda after, size: _page(daemon, {**query, "after": after, "limit": size}),
        limit,
    )
    if not found and wanted["pipeline"]:
        _look_for(daemon, wanted["pipeline"])
    if not face.screen.for_people:
        face.screen.values([raw for _, raw in found])
        return
    if attention:
        _tell_needs([run for run, _ in found], face.screen)
        return
    face.screen.table(_HEADS, [_row(run, face.screen) for run, _ in found])
    if not found:
        face.screen.note("no such run; `stratum emit SUBJECT --data JSON` starts one")


def _look_for(daemon: Daemon, pipeline: str) -> None:
    """NoPipeline when nothing is called that."""
    known, _ = daemon.ask("/api/v1/pipelines", Pipelines)
    names = [each.name for each in known.pipelines]
    if pipeline not in names:
        raise NoPipeline(pipeline, names)


def _tell_needs(runs: Sequence[Run], screen: Screen) -> None:
    if not runs:
        screen.note("no run needs a person")
    for run in runs:
        how = "partial" if run.compensation == "partial" else run.status
        screen.line(
            sign(how, unicode=screen.unicode),
            Span(f" {run.id}  "),
            Span(f"{run.pipeline}  ", "strong"),
            Span(screen.when(run.accepted), "dim"),
        )
        screen.lines(needs(run.attention) if run.attention else ())


def _page(daemon: Daemon, query: Query) -> tuple[list[tuple[Run, object]], str | None]:
    page, raw = daemon.ask("/api/v1/runs", Runs, query)
    raws = raw["runs"] if isinstance(raw, dict) else []
    return list(zip(page.runs, raws, strict=True)), page.next


def _row(run: Run, screen: Screen) -> list[Span]:
    how = "partial" if run.compensation == "partial" else run.status
    quality = f" {run.compensation}" if run.compensation else ""
    quality += " waived" if run.waived else ""
    return [
        sign(how, unicode=screen.unicode),
        Span(run.id),
        Span(f"{run.status}{quality}", word(how).style),
        Span(run.pipeline, "strong"),
        Span(screen.when(run.accepted), "dim"),
        Span(spent(between(run.accepted, run.ended, screen.now())), "dim"),
        Span(run.event.principal),
        Span(run.subject),
        Span(run.cause or "", "dim"),
    ]
