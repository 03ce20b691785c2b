"""`stratum audit`: what is on record of runs, verified where it is read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import click

from stratum_graph.definitions.content import ContentStore
from stratum_graph.errors import GraphError
from stratum_graph.model import Plan
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.audit.run import audit_run
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.reading import Journal, Runs
from stratum_orchestrator.cli.recorded import Record, line
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.home import Home
from stratum_orchestrator.saga.plans import Plans

_PAGE = 200
_LOOKS = 10


class Audited(NamedTuple):
    """What came of one run's audit."""

    record: Record
    entries: int
    planned: bool
    """Whether its plan is here, so that it was judged by it."""
    violations: tuple[Violation, ...]


class Restless(Stop):
    """A run moves on faster than it can be read."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"run {run} moves on while it is read",
            remedy=f"wait until it is over: stratum run watch {run}",
            code=Exit.TIMEOUT,
        )


@click.group()
def audit() -> None:
    """Verify what is on record of runs."""


@audit.command()
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every run that is on record.")
@faced
def verify(face: Face, run_id: str | None, *, every: bool) -> None:
    """Hold a run's journal against what is on record of it, and against what is promised.

    The journal has to be one whole chain of hashes, its moves legal and the same as the
    record; permission, plan, order, outcomes and compensations are judged by docs/audit.md.
    Exit code 1 when anything is wrong.
    """
    if every == (run_id is not None):
        message = "name one run, or say --all"
        raise click.UsageError(message)
    daemon = Daemon.at(face.home)
    ids = _every(daemon) if run_id is None else [run_id]
    good = _tell(face.screen, _audited(daemon, ids))
    if not good:
        raise SystemExit(Exit.FAILED)


def _every(daemon: Daemon) -> Iterator[str]:
    after: str | None = None
    while True:
        page, _ = daemon.ask("/api/v1/runs", Runs, {"after": after, "limit": _PAGE})
        yield from (run.id for run in page.runs)
        after = page.next
        if after is None:
            return


def _audited(daemon: Daemon, ids: Iterable[str]) -> Iterator[Audited]:
    plans = _Kept(daemon)
    for run_id in ids:
        record, journal = _read(daemon, run_id)
        plan = plans.get(record.plan)
        lines = [line(entry) for entry in journal.journal]
        found = audit_run(record.run, lines, record.said(), plan)
        yield Audited(record, len(lines), plan is not None, found)


def _read(daemon: Daemon, run_id: str) -> tuple[Record, Journal]:
    """A run and its journal, both of the same moment."""
    path = f"/api/v1/runs/{run_id}"
    record, _ = daemon.ask(path, Record)
    for _ in range(_LOOKS):
        journal, _ = daemon.ask(f"{path}/journal", Journal)
        again, _ = daemon.ask(path, Record)
        if again == record:
            return record, journal
        record = again
    raise Restless(record.run)


class _Kept:
    """The plans in the daemon's folder, where it is here."""

    def __init__(self, daemon: Daemon) -> None:
        content = Home(daemon.home).content
        self._plans = Plans(ContentStore(content)) if content.is_dir() else None

    def get(self, digest: str) -> Plan | None:
        try:
            return self._plans.get(digest) if self._plans else None
        except (GraphError, OSError):
            return None


def _tell(screen: Screen, audited: Iterable[Audited]) -> bool:
    """Tell each as it comes; False when anything is wrong with any of them."""
    views, runs, bad = [], 0, 0
    for each in audited:
        runs += 1
        bad += bool(each.violations)
        if screen.for_people:
            _draw(screen, each)
        elif screen.output == "jsonl":
            screen.value(_view(each))
        else:
            views.append(_view(each))
    if screen.output == "json":
        screen.value(views)
    if runs != 1 or not screen.for_people:
        screen.note(f"{runs} runs verified, {bad} with something wrong")
    return not bad


def _draw(screen: Screen, each: Audited) -> None:
    record, good = each.record, not each.violations
    judged = "" if each.planned else ", its plan is not here"
    screen.line(
        sign("ok" if good else "fail", unicode=screen.unicode),
        Span(f" {record.run}  ", "strong"),
        Span(f"{record.pipeline}  {record.status}  ", "dim"),
        Span(f"{each.entries} entries{judged}", "good" if good else "bad"),
    )
    for found in each.violations:
        where = f"entry {found.n}: " if found.n else ""
        screen.line(Span(f"    {found.invariant}  ", "bad"), Span(f"{where}{found.detail}"))


def _view(each: Audited) -> object:
    return {
        "run": each.record.run,
        "pipeline": each.record.pipeline,
        "status": each.record.status,
        "entries": each.entries,
        "plan": each.planned,
        "violations": _violations(each.violations),
    }


def _violations(found: Sequence[Violation]) -> list[object]:
    return [
        {"invariant": each.invariant, "entry": each.n or None, "detail": each.detail}
        for each in found
    ]
