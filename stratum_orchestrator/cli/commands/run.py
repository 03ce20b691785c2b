"""`stratum run`: one run, looked at, turned back, taken up again or given up."""

import json
from typing import Unpack

import click

from stratum_orchestrator.cli.audit import Broken, checked
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.commands.run_answers import approve, reject
from stratum_orchestrator.cli.commands.run_logs import logs
from stratum_orchestrator.cli.commands.run_wait import wait
from stratum_orchestrator.cli.decree import (
    Followed,
    following,
    reason,
    tell,
    tell_and_follow,
)
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span, compact
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.moment import clock
from stratum_orchestrator.cli.names import RUN
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.pursuit import tell_end
from stratum_orchestrator.cli.watch import Deadline, follow, outcome
from stratum_orchestrator.client.answers import Entry, Journal, Obeyed, Run

_ENDS_S = 60.0  # how long the processes of an abandoned run may take to end
_KNOWN = frozenset({"run", "n", "at", "kind", "prev"})


@click.group()
def run() -> None:
    """Show, watch, answer, cancel, retry or abandon one run. An ID may be a beginning."""


run.add_command(approve)
run.add_command(logs)
run.add_command(reject)
run.add_command(wait)


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@faced
def show(face: Face, run_id: str) -> None:
    """Show a run: its stages, what came back, what was undone."""
    found, raw = Daemon.at(face.home).ask(f"/api/v1/runs/{run_id}", Run)
    if face.screen.for_people:
        painter = Painter(now=face.screen.now(), unicode=face.screen.unicode)
        face.screen.lines(painter.run(found))
    else:
        face.screen.value(raw)


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@click.option("--timeout", type=click.FloatRange(0), help="Seconds to watch at most.")
@faced
def watch(face: Face, run_id: str, timeout: float | None) -> None:
    """Watch a run until it ends; the exit code tells how it ended."""
    ended = follow(Daemon.at(face.home), run_id, face.screen, Deadline(timeout))
    if face.screen.output == "json":
        face.screen.value(ended.raw)
    raise SystemExit(outcome(ended.run))


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@reason
@faced
def cancel(face: Face, run_id: str, reason: str) -> None:
    """Turn a run back: what runs is stopped, what succeeded is undone."""
    tell(face, f"{run_id}/cancel", {"reason": reason}, "compensating")


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@reason
@click.option("--yes", is_flag=True, help="Do not ask.")
@faced
def abandon(face: Face, run_id: str, reason: str, *, yes: bool) -> None:
    """End a run where it is: its processes end, and NOTHING IS UNDONE.

    For a run that cannot be helped otherwise. `stratum run cancel` undoes.
    """
    daemon = Daemon.at(face.home)
    found, _ = daemon.ask(f"/api/v1/runs/{run_id}", Run)
    if face.screen.terminal and not yes and not found.is_over:
        click.confirm(f"{_stays(found)} Abandon {found.id}?", abort=True)
    _, raw = daemon.command(f"/api/v1/runs/{found.id}/abandon", {"reason": reason}, Obeyed)
    if face.screen.for_people:
        ended = follow(daemon, found.id, face.screen, Deadline(_ENDS_S), quiet=True)
        tell_end(face.screen, ended)
        face.screen.note(_stays(ended.run))
    else:
        face.screen.value(raw)


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@reason
@click.option("--again", is_flag=True, help="Also when it completed.")
@following
@faced
def retry(
    face: Face, run_id: str, reason: str, *, again: bool, **far: Unpack[Followed]
) -> None:
    """Take a run up again that nobody carries, or begin one that has ended anew.

    What is begun anew is a new run of the same event, with the definitions of now.
    """
    told: dict[str, object] = {"reason": reason} | ({"again": True} if again else {})
    raise SystemExit(tell_and_follow(face, f"{run_id}/retry", told, **far))


@run.command()
@click.argument("run_id", metavar="ID", type=RUN)
@faced
def journal(face: Face, run_id: str) -> None:
    """Show a run's journal and verify its chain of hashes."""
    found, raw = Daemon.at(face.home).ask(f"/api/v1/runs/{run_id}/journal", Journal)
    broken = checked(found.journal)
    if not face.screen.for_people:
        lines = raw["journal"] if isinstance(raw, dict) else []
        face.screen.values(lines)
    else:
        _tell(face, found.journal, broken)
    if broken:
        raise SystemExit(Exit.FAILED)


def _stays(run: Run) -> str:
    """What an abandoned run leaves behind."""
    undone = {each.node for each in run.compensations if each.status == "done"}
    done = dict.fromkeys(
        each.node
        for each in run.steps
        if each.status not in {"skipped", "failed"} and each.node not in undone
    )
    return (
        f"Nothing is undone: {', '.join(done) or 'no step'} of {run.pipeline} stays as it is."
    )


def _tell(face: Face, entries: tuple[Entry, ...], broken: Broken | None) -> None:
    unicode = face.screen.unicode
    face.screen.table(
        ("", "n", "at", "what", "hash", "facts"),
        [
            [
                sign("fail" if broken and each.n >= broken.n else "ok", unicode=unicode),
                Span(str(each.n)),
                Span(_at(face, each), "dim"),
                Span(each.kind, "strong"),
                Span(each.hash[:12], "dim"),
                Span(_facts(each.body), "dim"),
            ]
            for each in entries
        ],
    )
    if broken:
        face.screen.line(sign("fail", unicode=unicode), Span(f" {broken.why}", "bad"))
    else:
        intact = f" {len(entries)} entries, the chain is whole"
        face.screen.line(sign("ok", unicode=unicode), Span(intact, "good"))


def _at(face: Face, entry: Entry) -> str:
    screen = face.screen
    return clock(entry.at, screen.times) if screen.terminal else screen.when(entry.at)


def _facts(body: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return body
    return "  ".join(
        f"{name}={value if isinstance(value, str) else compact(value)}"
        for name, value in said.items()
        if name not in _KNOWN and value is not None
    )
