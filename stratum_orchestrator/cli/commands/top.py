"""`stratum top`."""

import time
from collections.abc import Iterator

import click

from stratum_orchestrator.cli.client import Daemon, Unreachable
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.moving import moving
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.overview import Glance, look, picture
from stratum_orchestrator.cli.screen import Screen

_AWAY = 30  # looks without an answer before it gives up


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    help="Show so many.  [default: on a terminal and for jsonl until Ctrl-C, else 1]",
)
@faced
def top(face: Face, interval: float, count: int | None) -> None:
    """Show everything at a glance: instances, rates, runs under way, failed, and the oldest.

    Rates are of the instance that is asked, since the look before.
    """
    screen = face.screen
    live = screen.terminal and screen.for_people
    endless = live or screen.output == "jsonl"
    glances = _glances(Daemon.at(face.home), interval, count or (None if endless else 1))
    if live:
        _redraw(glances, screen)
    elif screen.for_people:
        for glance in glances:
            screen.lines(picture(glance, screen))
    elif screen.output == "json":
        told = [glance.told() for glance in glances]
        screen.value(told[0] if count is None else told)
    else:
        for glance in glances:
            screen.value(glance.told())


def _redraw(glances: Iterator[Glance], screen: Screen) -> None:
    latest: list[Line] = [[Span("looking …", "dim")]]
    with moving(screen, lambda: latest):
        for glance in glances:
            latest = picture(glance, screen)
    screen.lines(latest)


def _glances(daemon: Daemon, interval: float, count: int | None) -> Iterator[Glance]:
    """So many looks; one before them begins the counting."""
    before = look(daemon, None).counted
    told = away = 0
    while count is None or told < count:
        time.sleep(interval)
        try:
            glance = look(daemon, before)
        except Unreachable:
            # it may be started again, elsewhere
            away += 1
            if away > _AWAY:
                raise
            daemon = _moved(daemon)
            continue
        away, told, before = 0, told + 1, glance.counted
        yield glance


def _moved(daemon: Daemon) -> Daemon:
    try:
        return Daemon.at(daemon.home)
    except Unreachable:
        return daemon
