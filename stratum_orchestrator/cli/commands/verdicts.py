"""`stratum verdicts`."""

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.pages import gather
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Verdict, Verdicts
from stratum_orchestrator.client.client import Query

_HEADS = ("", "seq", "verdict", "at", "code", "subject", "runs or reason", "event", "publisher")


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many."
)
@faced
def verdicts(face: Face, limit: int) -> None:
    """List what became of events, newest first."""
    daemon = Daemon.at(face.home)
    found = gather(lambda after, size: _page(daemon, {"after": after, "limit": size}), limit)
    if not face.screen.for_people:
        face.screen.values([raw for _, raw in found])
        return
    face.screen.table(_HEADS, [_row(verdict, face.screen) for verdict, _ in found])
    if not found:
        face.screen.note("no event has come in yet")


def _page(daemon: Daemon, query: Query) -> tuple[list[tuple[Verdict, object]], str | None]:
    page, raw = daemon.ask("/api/v1/verdicts", Verdicts, query)
    raws = raw["verdicts"] if isinstance(raw, dict) else []
    return list(zip(page.verdicts, raws, strict=True)), page.next


def _row(verdict: Verdict, screen: Screen) -> list[Span]:
    return [
        sign(verdict.kind, unicode=screen.unicode),
        Span(str(verdict.sequence)),
        word(verdict.kind),
        Span(screen.when(verdict.at), "dim"),
        Span(verdict.code),
        Span(verdict.subject),
        Span("  ".join(verdict.runs) or verdict.reason),
        Span(verdict.event_id, "dim"),
        Span(verdict.publisher, "dim"),
    ]
