"""`stratum status`."""

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.findings import lines
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Health


@click.command()
@faced
def status(face: Face) -> None:
    """Show how the daemon is: its checks, and what is wrong with the definitions.

    Ends with exit code 1 when a check fails, so that no events are taken in.
    """
    daemon = Daemon.at(face.home)
    health, raw = daemon.ask("/api/v1/status", Health)
    if face.screen.for_people:
        _show(face.screen, health, daemon.address.http)
    else:
        face.screen.value(raw)
    if not all(each.ok for each in health.checks):
        raise SystemExit(Exit.FAILED)


def _show(screen: Screen, health: Health, place: str) -> None:
    screen.line(
        Span(f"{health.instance} ", "strong"),
        Span(f"{health.version} at {place}, {health.live_runs} runs under way"),
    )
    columns = max((len(each.name) for each in health.checks), default=0)
    for each in health.checks:
        screen.line(
            sign(each.verdict, unicode=screen.unicode),
            Span(f" {each.name:<{columns}}  ", "strong"),
            Span(each.detail or ("ok" if each.ok else "failed")),
        )
    screen.lines(lines(health.diagnostics))
