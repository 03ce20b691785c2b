"""`stratum pipelines` and `stratum pipeline`: what can be triggered, and holding it back."""

from urllib.parse import quote

import click

from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.decree import reason as because
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.names import PIPELINE
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.client.answers import Pipelines, Standing

_PATH = "/api/v1/pipelines"
_MARKS = {"active": "ok", "paused": "suspended", "disabled": "refused"}


@click.command()
@faced
def pipelines(face: Face) -> None:
    """List the pipelines: what starts them, and which are held back, by whom and why."""
    found, raw = Daemon.at(face.home).ask(_PATH, Pipelines)
    if not face.screen.for_people:
        face.screen.values(raw["pipelines"] if isinstance(raw, dict) else [])
        return
    face.screen.table(
        ("", "pipeline", "standing", "waiting", "subjects", "why"),
        [
            [
                sign(_MARKS.get(each.standing, "warn"), unicode=face.screen.unicode),
                Span(each.name, "strong"),
                Span(each.standing),
                Span(str(each.waiting or "")),
                Span(" ".join(each.subjects)),
                Span(_why(each.held) if each.standing != "active" else "", "dim"),
            ]
            for each in found.pipelines
        ],
    )


@click.group()
def pipeline() -> None:
    """Hold a pipeline back, on all instances, also over restarts."""


@pipeline.command()
@click.argument("name", type=PIPELINE)
@because
@faced
def pause(face: Face, name: str, reason: str) -> None:
    """Let the runs of NAME wait: events are accepted, and nothing of them begins.

    Runs that are under way go on.
    """
    _stand(face, name, "pause", reason)


@pipeline.command()
@click.argument("name", type=PIPELINE)
@because
@faced
def disable(face: Face, name: str, reason: str) -> None:
    """Refuse the events of NAME: their verdict says `disabled`, and nothing of them runs later.

    Runs that are under way go on, those that wait do so still.
    """
    _stand(face, name, "disable", reason)


@pipeline.command()
@click.argument("name", type=PIPELINE)
@because
@faced
def resume(face: Face, name: str, reason: str) -> None:
    """Let NAME go on: what waits begins, the oldest first, as there is room."""
    _stand(face, name, "resume", reason)


def _stand(face: Face, name: str, verb: str, reason: str) -> None:
    path = f"{_PATH}/{quote(name, safe='')}/{verb}"
    found, raw = Daemon.at(face.home).command(path, {"reason": reason}, Standing)
    if not face.screen.for_people:
        face.screen.value(raw)
        return
    mark = sign(_MARKS.get(found.standing, "warn"), unicode=face.screen.unicode)
    face.screen.line(mark, Span(f" {found.pipeline} ", "strong"), Span(found.standing))


def _why(held: Standing | None) -> str:
    return f"{held.by}: {held.reason}" if held else ""
