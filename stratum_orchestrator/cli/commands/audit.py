"""`stratum audit`: what is on record, verified where it is read."""

from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

import click

from stratum_graph.definitions.content import ContentStore
from stratum_graph.errors import GraphError
from stratum_graph.model import Plan
from stratum_orchestrator.audit import dossier
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.commands.decisions import decisions
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Span
from stratum_orchestrator.cli.marks import sign
from stratum_orchestrator.cli.names import RUN
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Runs
from stratum_orchestrator.saga.plans import Plans

_PAGE = 200


class Audited(NamedTuple):
    """What came of one run's audit."""

    run: str
    pipeline: str
    status: str
    entries: int
    planned: bool
    """Whether its plan is here, so that it was judged by it."""
    signers: tuple[str, ...]
    """Who signed its ends."""
    violations: tuple[Violation, ...]


class Unreadable(Stop):
    """There is no such file, or it is not ours to read."""

    def __init__(self, file: Path, error: OSError) -> None:
        super().__init__(
            f"{file} cannot be read: {error.strerror}",
            remedy="`stratum audit export ID` writes one",
            code=Exit.NOT_FOUND,
        )


@click.group()
def audit() -> None:
    """Verify what is on record of runs, and see what was decided about commands."""


audit.add_command(decisions)


@audit.command()
@click.argument("run_id", metavar="[ID]", required=False, type=RUN)
@click.option("--all", "every", is_flag=True, help="Every run that is on record.")
@click.option(
    "--file",
    "exported",
    type=click.Path(path_type=Path),
    help="What `stratum audit export` wrote; no daemon is asked.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="U…",
    help="Public key of a daemon whose signature counts.  [default: this home's own]",
)
@faced
def verify(
    face: Face, run_id: str | None, exported: Path | None, keys: tuple[str, ...], *, every: bool
) -> None:
    """Hold a run's journal against what is on record of it, and against what is promised.

    The journal has to be one whole chain of hashes, its end signed by a daemon that is
    trusted, its moves legal and the same as the record; permission, plan, order, outcomes and
    compensations are judged by docs/audit.md. Exit code 1 when anything is wrong.
    """
    from stratum_orchestrator.cli.trust import trusted

    if [every, run_id is not None, exported is not None].count(True) != 1:
        message = "name one run, or say --all, or name a --file"
        raise click.UsageError(message)
    texts = [_text(exported)] if exported else _texts(face, run_id)
    plans = _Kept(face.home)
    whom = trusted(face, keys)
    good = _tell(face.screen, (_audited(text, whom, plans) for text in texts))
    if not good:
        raise SystemExit(Exit.FAILED)


@audit.command()
@click.argument("run_id", metavar="ID", type=RUN)
@faced
def export(face: Face, run_id: str) -> None:
    """Write all that is on record of a run, to be verified anywhere and at any time.

    That is its journal with the signed heads, and its rows with the event's payload and the
    outputs of its steps. `stratum audit verify --file FILE --key U…` needs nothing else.
    """
    text = Daemon.at(face.home).read(f"/api/v1/runs/{run_id}/evidence")
    click.echo(text, nl=False)


def _text(exported: Path) -> str:
    try:
        return exported.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Unreadable(exported, error) from None


def _texts(face: Face, run_id: str | None) -> Iterator[str]:
    daemon = Daemon.at(face.home)
    ids = _every(daemon) if run_id is None else iter([run_id])
    for each in ids:
        yield daemon.read(f"/api/v1/runs/{each}/evidence")


def _every(daemon: Daemon) -> Iterator[str]:
    after: str | None = None
    while True:
        page, _ = daemon.ask("/api/v1/runs", Runs, {"after": after, "limit": _PAGE})
        yield from (run.id for run in page.runs)
        after = page.next
        if after is None:
            return


def _audited(text: str, whom: AbstractSet[str], plans: "_Kept") -> Audited:
    from stratum_orchestrator.audit.run import audit_evidence

    found = dossier.read(text)
    trail = found.evidence.trail
    run = trail.run if trail else None
    plan = plans.get(run.plan) if run else None
    return Audited(
        run=found.run,
        pipeline=run.pipeline if run else "",
        status=str(run.status) if run else "",
        entries=len(found.evidence.journal),
        planned=plan is not None,
        signers=tuple(sorted({head.signer for head in found.evidence.heads})),
        violations=found.violations or audit_evidence(found.run, found.evidence, whom, plan),
    )


class _Kept:
    """The plans in the daemon's folder, where it is here."""

    def __init__(self, home: Path) -> None:
        from stratum_orchestrator.home import Home

        content = Home(home).content
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
    good = not each.violations
    signed = f", signed by {', '.join(x[:8] for x in each.signers)}" if each.signers else ""
    judged = "" if each.planned else ", its plan is not here"
    screen.line(
        sign("ok" if good else "fail", unicode=screen.unicode),
        Span(f" {each.run}  ", "strong"),
        Span(f"{each.pipeline}  {each.status}  ", "dim"),
        Span(f"{each.entries} entries{signed}{judged}", "good" if good else "bad"),
    )
    for found in each.violations:
        where = f"entry {found.n}: " if found.n else ""
        screen.line(Span(f"    {found.invariant}  ", "bad"), Span(f"{where}{found.detail}"))


def _view(each: Audited) -> object:
    return {
        "run": each.run,
        "pipeline": each.pipeline,
        "status": each.status,
        "entries": each.entries,
        "plan": each.planned,
        "signers": list(each.signers),
        "violations": _violations(each.violations),
    }


def _violations(found: Sequence[Violation]) -> list[object]:
    return [
        {"invariant": each.invariant, "entry": each.n or None, "detail": each.detail}
        for each in found
    ]
