"""In which order things happened: I4 and I18 on the way forward, I9 on the way back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stratum_graph.model import Plan, PlannedNode, Retry
from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation

GOOD = ("step.succeeded", "step.skipped")
BAD = ("step.failed", "step.timed-out", "step.lost", "step.cancelled")
_LOST_ATTEMPTS = 3  # a step that the daemon did not survive so often has failed
_RETRY = 75  # the exit code by which a script asks for another attempt
_BEGUN = ("step.started", "step.skipped")


class _Span(NamedTuple):
    """The entries at which an attempt began and ended."""

    began: int
    ended: int


def check_forward(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I4: a step begins when all stages before its own, and its producers, are done."""
    stages = _stages(chronicle, plan)
    good: set[str] = set()
    succeeded: set[str] = set()
    for entry in chronicle.steps():
        if entry.what in _BEGUN:
            before = {name for stage in stages[: entry.stage] for name in stage}
            if late := sorted(before - good):
                why = f"{entry.node} begins before {late[0]} of a stage before it is done"
                yield Violation("I4", chronicle.run, why, entry.n)
        if entry.what == "step.started":
            for name in sorted(_producers(plan, entry.node) & good - succeeded):
                why = f"{entry.node} begins, though {name}, which it needs, was skipped"
                yield Violation("I4", chronicle.run, why, entry.n)
        if entry.what in GOOD:
            good.add(entry.node)
        if entry.what == "step.succeeded":
            succeeded.add(entry.node)


def check_fail_fast(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I18: behind a failure nothing begins that was not about to, and all ends before undoing.

    A start that was handed over before the failure was acknowledged may stand behind it.
    """
    failure = _first_failure(chronicle, plan)
    if failure is not None:
        yield from _check_behind(chronicle, failure)
    undoing = chronicle.first("compensation.started", "compensation.waived")
    if undoing is not None:
        yield from _check_ended(chronicle, undoing)


def _check_behind(chronicle: Chronicle, failure: Entry) -> Iterator[Violation]:
    begun: set[str] = set()
    known = False
    for entry in chronicle.steps():
        if entry.n <= failure.n:
            continue
        if entry.what == "step.lost":
            # A new process took the run up; of a loss it learns only while it does.
            known = known or failure.what != "step.lost"
        if entry.what == "step.started":
            if known or entry.node in begun:
                why = f"{entry.node} begins again after {_said(failure)}"
                yield Violation("I18", chronicle.run, why, entry.n)
            begun.add(entry.node)


def _check_ended(chronicle: Chronicle, undoing: Entry) -> Iterator[Violation]:
    loose: dict[tuple[str, int], int] = {}
    for entry in chronicle.steps():
        if entry.n > undoing.n:
            why = f"{entry.node} became {entry.status} after undoing had begun"
            yield Violation("I18", chronicle.run, why, entry.n)
        elif entry.what == "step.started":
            loose[entry.node, entry.attempt] = entry.n
        else:
            loose.pop((entry.node, entry.attempt), None)
    for (node, attempt), n in loose.items():
        why = f"attempt {attempt} of {node} had not ended when undoing began"
        yield Violation("I18", chronicle.run, why, n)


def check_backward(chronicle: Chronicle) -> Iterator[Violation]:
    """I9: one after the other, stages in reverse, within one those that ended last first."""
    spans = _spans(chronicle)
    before: Entry | None = None
    open_undo: Entry | None = None
    for entry in chronicle.entries:
        if entry.what == "run.compensating":
            before = None  # an operator may have one undone again that others were behind
        if entry.subject != "compensation":
            continue
        if entry.status in ("started", "waived"):
            if entry.node not in spans:
                why = f"{entry.node} is undone, but never began"
                yield Violation("I9", chronicle.run, why, entry.n)
            if open_undo is not None:
                why = f"{entry.node} is undone while {open_undo.node} is"
                yield Violation("I9", chronicle.run, why, entry.n)
        if entry.status == "started":
            yield from _check_turn(chronicle.run, entry, before, spans)
            before = entry
        open_undo = entry if entry.status == "started" else None


def _check_turn(
    run: str, entry: Entry, before: Entry | None, spans: Mapping[str, _Span]
) -> Iterator[Violation]:
    if before is None:
        return
    if entry.stage > before.stage:
        why = f"{entry.node} of stage {entry.stage} is undone after {before.node} before it"
        yield Violation("I9", run, why, entry.n)
    elif entry.stage == before.stage and _is_later(entry.node, before.node, spans):
        why = f"{entry.node} is undone after {before.node}, which ended before it began"
        yield Violation("I9", run, why, entry.n)


def _is_later(node: str, other: str, spans: Mapping[str, _Span]) -> bool:
    """Ends that were under way at once have no order; a beginning behind an end has."""
    if node not in spans or other not in spans:
        return False
    return spans[node].began > spans[other].ended


def _spans(chronicle: Chronicle) -> Mapping[str, _Span]:
    """By node that began: where its last attempt began and ended."""
    spans: dict[str, _Span] = {}
    for entry in chronicle.steps():
        if entry.what == "step.started":
            spans[entry.node] = _Span(entry.n, entry.n)
        elif entry.node in spans:
            spans[entry.node] = _Span(spans[entry.node].began, entry.n)
    return spans


def _first_failure(chronicle: Chronicle, plan: Plan | None) -> Entry | None:
    """The first thing after which the run cannot go on: no attempt left, or a decision."""
    retries = {each.definition.node.name: each.definition.node.retry for each in nodes_of(plan)}
    for entry in chronicle.entries:
        if entry.what == "run.compensating":
            return entry
        if entry.what in BAD and entry.node in retries and _is_last(entry, retries[entry.node]):
            return entry
    return None


def _is_last(entry: Entry, retry: Retry) -> bool:
    """Whether the policy allows no further attempt after this one."""
    if entry.status == "lost":
        return "lost" not in retry.on or entry.attempt >= max(retry.attempts, _LOST_ATTEMPTS)
    asked = entry.said.get("error_class") == "exit" and entry.said.get("exit_code") == _RETRY
    retried = asked or entry.said.get("error_class") in retry.on
    return entry.attempt >= retry.attempts or not retried


def _said(entry: Entry) -> str:
    if entry.subject == "run":
        return "the run turned back"
    return f"{entry.node} became {entry.status} for good"


def _stages(chronicle: Chronicle, plan: Plan | None) -> list[set[str]]:
    if plan is not None:
        names = [planned.definition.node.name for planned in plan.nodes]
        return [{names[at] for at in stage} for stage in plan.stages]
    stages: dict[int, set[str]] = {}
    for entry in chronicle.steps():
        stages.setdefault(entry.stage, set()).add(entry.node)
    return [stages.get(at, set()) for at in range(max(stages, default=-1) + 1)]


def nodes_of(plan: Plan | None) -> Sequence[PlannedNode]:
    return plan.nodes if plan else ()


def _producers(plan: Plan | None, node: str) -> set[str]:
    for planned in nodes_of(plan):
        if plan and planned.definition.node.name == node:
            consumed = planned.definition.node.consumes
            return {plan.nodes[plan.providers[each]].definition.node.name for each in consumed}
    return set()
