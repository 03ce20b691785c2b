"""`stratum why`."""

from collections.abc import Iterator
from difflib import get_close_matches

import click

from stratum_orchestrator.cli.account import Account, accounts
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.options import Face, faced
from stratum_orchestrator.cli.portrait import Painter, needs
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.client.answers import Decision, Run, Verdict

_LABEL = len("decided") + 2
_DIGEST = len("sha256:") + 12


@click.command()
@click.argument("what", metavar="EVENT-ID|SEQUENCE|VERDICT-ID|RUN-ID")
@faced
def why(face: Face, what: str) -> None:
    """Say what became of an event, and why.

    Whether it was stored, who signed it, how it was judged and by which policies, which
    pipelines it opened or why none, and how its runs ended. An event's or a run's id may be a
    unique beginning. Exit code 6 when nothing is on record of it.
    """
    found = accounts(Daemon.at(face.home), what)
    if not face.screen.for_people:
        face.screen.values([each.raw for each in found])
        return
    for at, account in enumerate(found):
        if at:
            face.screen.line()
        face.screen.lines(_lines(account, face.screen))


def _lines(account: Account, screen: Screen) -> Iterator[Line]:
    verdict = account.verdict
    if verdict is None:
        yield [Span("the verdict is not on record any more; this is the run it opened", "warn")]
    else:
        yield from _judged(verdict, account, screen)
    for run in account.runs:
        yield from _ran(run, screen)
    gone = set(verdict.runs if verdict else ()) - {run.id for run in account.runs}
    for run_id in sorted(gone):
        yield _told("run", Span(run_id), Span("  not on record any more", "dim"))


def _judged(verdict: Verdict, account: Account, screen: Screen) -> Iterator[Line]:
    yield [
        sign(verdict.kind, unicode=screen.unicode),
        Span(" "),
        word(verdict.kind),
        Span(f"  {verdict.subject}", "strong"),
        Span(f"  {verdict.event_id}", "dim"),
    ]
    yield _told("stored", Span(f"#{verdict.sequence}  {screen.when(verdict.stored)}"))
    yield _told("signed", *_signer(verdict, account.runs))
    code = Span("" if verdict.code == verdict.kind else f"  {verdict.code}", "warn")
    yield _told("judged", Span(screen.when(verdict.at)), code)
    if verdict.authorization:
        for each in verdict.authorization:
            yield from _decided(each)
    else:
        yield _told("because", Span(verdict.reason))
    if account.subjects:
        near = get_close_matches(verdict.subject, account.subjects, n=1, cutoff=0)
        listed = ", ".join([*near, *(x for x in account.subjects if x not in near)])
        yield _told("opens", Span(listed), Span("  would have opened a pipeline", "dim"))


def _signer(verdict: Verdict, runs: tuple[Run, ...]) -> Iterator[Span]:
    if runs:
        yield Span(f"{runs[0].event.principal}  ")
    elif verdict.kind == "refused" and not verdict.authorization:
        yield Span("nobody who is believed; it claims " if verdict.publisher else "", "warn")
    yield Span(verdict.publisher or "no key is named", "dim")


def _decided(decision: Decision) -> Iterator[Line]:
    allowed = decision.allowed
    said = "not asked" if allowed is None else "allowed" if allowed else "forbidden"
    by = f" by {', '.join(decision.policies)}" if decision.policies else ""
    yield _told(
        "decided",
        Span(f"{decision.pipeline or 'the version'}  ", "strong"),
        Span(said, "good" if allowed else "bad"),
        Span(by),
        Span(f"  {(decision.policy_set or '')[:_DIGEST]}", "dim"),
    )
    yield _told("", Span(decision.reason, "dim"))
    if decision.version:
        yield _told("", Span(f"in version {decision.version}, which the event names", "dim"))


def _ran(run: Run, screen: Screen) -> Iterator[Line]:
    painter = Painter(now=screen.now(), unicode=screen.unicode)
    yield _told("run", Span(f"{run.id}  "), Span(f"{run.pipeline}  ", "strong"))
    yield _told("", *painter.verdict(run))
    yield from needs(run.attention) if run.attention else ()


def _told(label: str, *spans: Span) -> Line:
    return [Span(f"  {label:<{_LABEL}}", "dim"), *spans]
