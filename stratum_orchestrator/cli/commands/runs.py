"""`stratum runs`."""

import click

from stratum_orchestrator.cli.client import Daemon, Query
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.moment import between, spent
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.pages import gather
from stratum_orchestrator.cli.reading import Run, Runs
from stratum_orchestrator.cli.screen import Screen

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


@click.command()
@click.option("--status", type=click.Choice(STATUSES), help="Only runs of this status.")
@click.option("--pipeline", help="Only runs of this pipeline.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many."
)
@faced
def runs(face: Face, status: str | None, pipeline: str | None, limit: int) -> None:
    """List runs, newest first."""
    daemon = Daemon.at(face.home)
    wanted: Query = {"status": status, "pipeline": pipeline}
    found = gather(
        lambda after, size: _page(daemon, {**wanted, "after": after, "limit": size}),
        limit,
    )
    if not face.screen.for_people:
        face.screen.values([raw for _, raw in found])
        return
    face.screen.table(_HEADS, [_row(run, face.screen) for run, _ in found])
    if not found:
        face.screen.note("no such run; `stratum emit SUBJECT --data JSON` starts one")


def _page(daemon: Daemon, query: Query) -> tuple[list[tuple[Run, object]], str | None]:
    page, raw = daemon.ask("/api/v1/runs", Runs, query)
    raws = raw["runs"] if isinstance(raw, dict) else []
    return list(zip(page.runs, raws, strict=True)), page.next


def _row(run: Run, screen: Screen) -> list[Span]:
    how = "partial" if run.compensation == "partial" else run.status
    quality = f" {run.compensation}" if run.compensation else ""
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
