"""A run as lines in the order of happening: what a pipe gets instead of a moving picture."""

from collections.abc import Iterator
from typing import NamedTuple

from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.marks import sign, word
from stratum_orchestrator.cli.moment import Times, between, clock, parse, spent
from stratum_orchestrator.cli.portrait import complaint, summary, undid
from stratum_orchestrator.client.answers import Checkpoint, Run, Step, Undo


class Beat(NamedTuple):
    """One thing that happened: a key that tells it from the others, when, and the line."""

    key: str
    at: str
    line: Line


def story(run: Run, *, unicode: bool = True, times: Times = "utc") -> list[Beat]:
    """Everything that has happened in the run, in order."""
    beats = [
        *_beginning(run),
        *(beat for step in run.steps for beat in _step(step)),
        *(beat for each in run.checkpoints for beat in _question(each)),
        *_turning(run),
        *(beat for undo in run.compensations for beat in _undo(undo)),
    ]
    beats.sort(key=lambda beat: beat.at)  # stable: what shares a moment stays in this order
    return [
        Beat(
            key,
            at,
            [Span(f"{clock(at, times)}  ", "dim"), sign(status, unicode=unicode), *line],
        )
        for key, at, status, line in [*beats, *_ending(run)]
    ]


class _Told(NamedTuple):
    key: str
    at: str
    status: str
    line: Line


def _beginning(run: Run) -> Iterator[_Told]:
    who = f"  {run.subject} by {run.event.principal}"
    yield _Told("accepted", run.accepted, "accepted", _run(run, "accepted", who))
    if run.started:
        yield _Told("running", run.started, "running", _run(run, "running"))


def _turning(run: Run) -> Iterator[_Told]:
    if run.status == "compensating" or run.compensations:
        firsts = [each.started for each in run.compensations[:1] if each.started]
        ends = [each.ended for each in run.steps if each.ended]
        at = min(firsts, default=max(ends, default=run.accepted), key=parse)
        cause = f"  {run.cause}" if run.cause else ""
        yield _Told("compensating", at, "compensating", _run(run, "compensating", cause))


def _ending(run: Run) -> Iterator[_Told]:
    if run.is_over and run.ended:
        took = spent(between(run.accepted, run.ended, parse(run.ended)))
        quality = f" {run.compensation}" if run.compensation else ""
        cause = f": {run.cause}" if run.cause else ""
        how = "partial" if run.compensation == "partial" else run.status
        line = _run(run, run.status, f"{quality} in {took}{cause}")
        yield _Told("over", run.ended, how, line)


def _step(step: Step) -> Iterator[_Told]:
    name = f"{step.stage + 1} {step.node}"
    key = f"step {step.stage} {step.node} {step.attempt}"
    attempt = f"  attempt {step.attempt}" if step.attempt > 1 else ""
    if step.started and step.status != "skipped":
        yield _Told(f"{key} started", step.started, "started", _node(name, "started", attempt))
    if step.status != "started":
        what = complaint(step.error) if step.error else summary(step.outputs)
        yield _ended(f"{key} ended", name, step, what)


def _question(question: Checkpoint) -> Iterator[_Told]:
    key, name = f"question {question.node}", question.node
    groups = f"  {' or '.join(question.groups)}"
    yield _Told(f"{key} open", question.asked, "asked", _node(name, "asked", groups))
    for answer in question.answers:
        said = f"  {answer.person}: {answer.reason}"
        line = _node(name, answer.status, said)
        yield _Told(f"{key} {answer.person}", answer.at, answer.status, line)
    if question.ended and question.status in {"timed-out", "withdrawn"}:
        line = _node(name, question.status, f"  {question.detail or ''}")
        yield _Told(f"{key} closed", question.ended, question.status, line)


def _undo(undo: Undo) -> Iterator[_Told]:
    name = f"{undo.stage + 1} undo {undo.node}"
    key = f"undo {undo.stage} {undo.node} {undo.attempt}"
    attempt = f"  attempt {undo.attempt}" if undo.attempt > 1 else ""
    if undo.started:
        yield _Told(f"{key} started", undo.started, "started", _node(name, "started", attempt))
    if undo.status != "started":
        yield _ended(f"{key} {undo.status}", name, undo, undid(undo))


def _ended(key: str, name: str, attempt: Step | Undo, what: str) -> _Told:
    at = attempt.ended or attempt.started or ""
    took = spent(between(attempt.started, attempt.ended, parse(at))) if attempt.ended else ""
    rest = "".join(f"  {each}" for each in (took, what) if each)
    return _Told(key, at, attempt.status, _node(name, attempt.status, rest))


def _node(name: str, status: str, rest: str = "") -> Line:
    return [Span(f"  {name}  "), word(status), Span(rest, "dim")]


def _run(run: Run, status: str, rest: str = "") -> Line:
    return [
        Span(f"  {run.pipeline} ", "strong"),
        Span(run.id),
        Span("  "),
        word(status),
        Span(rest),
    ]
