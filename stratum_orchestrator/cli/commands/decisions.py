"""`stratum audit decisions`: what the policies said to commands."""

from collections.abc import Mapping

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.pages import gather
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Ruling, Rulings
from stratum_orchestrator.client.client import Query

_HEADS = ("", "answer", "last", "times", "principal", "action", "about", "policies", "reason")


@click.command()
@click.option("--denied", is_flag=True, help="Only what the policies refused.")
@click.option("--principal", metavar="NAME", help="Only what this one asked for.")
@click.option("--action", metavar="ACTION", help="Only cancel, retry, reload and so on.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many."
)
@faced
def decisions(
    face: Face, principal: str | None, action: str | None, limit: int, *, denied: bool
) -> None:
    """List what the policies said to commands, newest first.

    That is what operators and readers asked of the daemon, its runs and pipelines, allowed or
    not, and by which policies. Of events, `stratum verdicts` tells.
    """
    daemon = Daemon.at(face.home)
    wanted: Query = {
        "answer": "denied" if denied else None,
        "principal": principal,
        "action": action,
    }
    found = gather(
        lambda after, size: _page(daemon, {**wanted, "after": after, "limit": size}), limit
    )
    if not face.screen.for_people:
        face.screen.values([raw for _, raw in found])
        return
    face.screen.table(_HEADS, [_row(ruling, face.screen) for ruling, _ in found])
    if not found:
        face.screen.note("nothing like that is on record")


def _page(daemon: Daemon, query: Query) -> tuple[list[tuple[Ruling, object]], str | None]:
    page, raw = daemon.ask("/api/v1/decisions", Rulings, query)
    raws = raw["decisions"] if isinstance(raw, dict) else []
    return list(zip(page.decisions, raws, strict=True)), page.next


def _row(ruling: Ruling, screen: Screen) -> list[Span]:
    said: Mapping[str, object] = ruling.authorization
    is_denied = ruling.answer == "denied"
    policies = said.get("policies")
    return [
        sign("fail" if is_denied else "ok", unicode=screen.unicode),
        Span(ruling.answer, "bad" if is_denied else "good"),
        Span(screen.when(ruling.last), "dim"),
        Span(str(ruling.count)),
        Span(ruling.principal),
        Span(ruling.action),
        Span(_about(ruling)),
        Span(", ".join(map(str, policies)) if isinstance(policies, list) else ""),
        Span(str(said.get("reason", "")), "dim"),
    ]


def _about(ruling: Ruling) -> str:
    if ruling.several:
        return "several"
    return " ".join(filter(None, (ruling.pipeline, ruling.run))) or "the daemon"
