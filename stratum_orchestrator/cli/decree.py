"""A command of an operator about a run: asked of the daemon, then followed if wanted."""

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypedDict, TypeVar, Unpack

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face
from stratum_orchestrator.cli.pursuit import Pursuit, worst
from stratum_orchestrator.cli.watch import Deadline
from stratum_orchestrator.client.answers import Obeyed

P = ParamSpec("P")
R = TypeVar("R")

reason = click.option("--reason", required=True, help="Why; it goes into the audit.")


class Followed(TypedDict):
    """The options that say how far to follow."""

    wait: bool
    watch: bool
    timeout_s: float


def following(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options of `Followed`."""
    for option in (
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0.1),
            default=600.0,
            show_default=True,
            help="Seconds to wait at most.",
        ),
        click.option("--watch", is_flag=True, help="Likewise, and show it."),
        click.option("--wait", is_flag=True, help="Until the run has ended."),
    ):
        command = option(command)
    return command


def tell(
    face: Face, path: str, told: Mapping[str, object], mark: str, token: str = ""
) -> Obeyed:
    """Have it done, and say what came of it."""
    daemon = Daemon.at(face.home, token=token)
    obeyed, raw = daemon.command(f"/api/v1/runs/{path}", told, Obeyed)
    if face.screen.for_people:
        face.screen.line(
            sign(mark, unicode=face.screen.unicode),
            Span(f" {obeyed.run}  ", "strong"),
            Span(obeyed.detail),
        )
    else:
        face.screen.value(raw)
    return obeyed


def tell_and_follow(
    face: Face,
    path: str,
    told: Mapping[str, object],
    token: str = "",
    **far: Unpack[Followed],
) -> Exit:
    """Have it done, by whose token it is, and follow the run as far as asked for.

    For programs: what came of it, or the run as it ended where that was waited for.
    """
    pursuit = Pursuit(**far)
    if not pursuit.follows:
        tell(face, path, told, "running", token)
        return Exit.OK
    daemon, screen = Daemon.at(face.home, token=token), face.screen
    if screen.for_people:
        run = tell(face, path, told, "running", token).run
    else:
        run = daemon.command(f"/api/v1/runs/{path}", told, Obeyed)[0].run
    ended = pursuit.follow(daemon, screen, [run], Deadline(pursuit.timeout_s))
    if not screen.for_people:
        screen.value(ended[0].raw)
    return worst(ended)
