"""`stratum run`: one run, looked at or turned back."""

import json

import click

from stratum_orchestrator.cli.audit import Broken, checked
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.ink import Span, compact
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.moment import clock
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.reading import Entry, Journal, Run
from stratum_orchestrator.cli.watch import Deadline, follow, outcome

_KNOWN = frozenset({"run", "n", "at", "kind", "prev"})


@click.group()
def run() -> None:
    """Show, watch or cancel one run; read its journal. An ID may be a unique beginning."""


@run.command()
@click.argument("run_id", metavar="ID")
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
@click.argument("run_id", metavar="ID")
@click.option("--timeout", type=click.FloatRange(0), help="Seconds to watch at most.")
@faced
def watch(face: Face, run_id: str, timeout: float | None) -> None:
    """Watch a run until it ends; the exit code tells how it ended."""
    ended = follow(Daemon.at(face.home), run_id, face.screen, Deadline(timeout))
    if face.screen.output == "json":
        face.screen.value(ended.raw)
    raise SystemExit(outcome(ended.run))


@run.command()
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="Why; it goes into the audit.")
@faced
def cancel(face: Face, run_id: str, reason: str) -> None:
    """Turn a run back: what runs is stopped, what succeeded is undone."""
    told, raw = Daemon.at(face.home).command(
        f"/api/v1/runs/{run_id}/cancel", {"reason": reason}, dict[str, str]
    )
    if face.screen.for_people:
        face.screen.line(
            sign("compensating", unicode=face.screen.unicode),
            Span(f" {told.get('run', run_id)} is being cancelled  ", "undo"),
            Span(told.get("detail", ""), "dim"),
        )
    else:
        face.screen.value(raw)


@run.command()
@click.argument("run_id", metavar="ID")
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


def _tell(face: Face, entries: tuple[Entry, ...], broken: Broken | None) -> None:
    unicode = face.screen.unicode
    face.screen.table(
        ("", "n", "at", "what", "hash", "facts"),
        [
            [
                sign("fail" if broken and each.n >= broken.n else "ok", unicode=unicode),
                Span(str(each.n)),
                Span(clock(each.at) if face.screen.terminal else each.at, "dim"),
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
