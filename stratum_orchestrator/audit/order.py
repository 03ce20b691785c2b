"""In which order things happened: I4 and I18 on the way forward, I9 on the way back."""

from collections.abc import Iterator

from stratum_graph.model import Plan
from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation

GOOD = ("step.succeeded", "step.skipped")
BAD = ("step.failed", "step.timed-out", "step.lost", "step.cancelled")
_BEGUN = ("step.started", "step.skipped")


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


def check_fail_fast(chronicle: Chronicle) -> Iterator[Violation]:
    """I18: behind a failure nothing begins that was not about to, and all ends before undoing.

    A start that was handed over before the failure was acknowledged may stand behind it.
    """
    failure = _first_failure(chronicle)
    begun: set[str] = set()
    undoing = chronicle.first("compensation.started", "compensation.waived")
    open_steps: dict[tuple[str, int], int] = {}
    for entry in chronicle.steps():
        if undoing is not None and entry.n > undoing.n:
            why = f"{entry.node} became {entry.status} after undoing had begun"
            yield Violation("I18", chronicle.run, why, entry.n)
            continue
        if entry.what != "step.started":
            open_steps.pop((entry.node, entry.attempt), None)
            continue
        open_steps[entry.node, entry.attempt] = entry.n
        if failure is not None and entry.n > failure.n:
            if entry.node in begun:
                why = f"{entry.node} begins again after {_said(failure)}"
                yield Violation("I18", chronicle.run, why, entry.n)
            begun.add(entry.node)
    if undoing is not None:
        for (node, attempt), n in open_steps.items():
            why = f"attempt {attempt} of {node} had not ended when undoing began"
            yield Violation("I18", chronicle.run, why, n)


def check_backward(chronicle: Chronicle) -> Iterator[Violation]:
    """I9: one after the other, stages in reverse, within one those that ended last first."""
    ended: dict[str, int] = {}
    started: set[str] = set()
    for entry in chronicle.steps():
        if entry.what == "step.started":
            started.add(entry.node)
        ended[entry.node] = entry.n
    before: Entry | None = None
    open_undo: Entry | None = None
    for entry in chronicle.compensations():
        if entry.status in ("started", "waived"):
            yield from _check_turn(chronicle.run, entry, before, ended)
            if entry.node not in started:
                why = f"{entry.node} is undone, but never began"
                yield Violation("I9", chronicle.run, why, entry.n)
            if open_undo is not None:
                why = f"{entry.node} is undone while {open_undo.node} is"
                yield Violation("I9", chronicle.run, why, entry.n)
            before = entry
        open_undo = entry if entry.status == "started" else None


def _check_turn(
    run: str, entry: Entry, before: Entry | None, ended: dict[str, int]
) -> Iterator[Violation]:
    if before is None or entry.status == "waived":
        return
    if entry.stage > before.stage:
        why = f"{entry.node} of stage {entry.stage} is undone after {before.node} before it"
        yield Violation("I9", run, why, entry.n)
    elif entry.stage == before.stage and ended.get(entry.node, 0) > ended.get(before.node, 0):
        why = f"{entry.node} is undone after {before.node}, though it ended later"
        yield Violation("I9", run, why, entry.n)


def _first_failure(chronicle: Chronicle) -> Entry | None:
    """The first thing that turned the run back: a last bad attempt, or a decision."""
    last = {entry.node: entry.attempt for entry in chronicle.of_kind("step.started")}
    for entry in chronicle.entries:
        final = entry.what in BAD and entry.attempt >= last.get(entry.node, 0)
        if entry.what == "run.compensating" or final:
            return entry
    return None


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


def _producers(plan: Plan | None, node: str) -> set[str]:
    for planned in plan.nodes if plan else ():
        if plan and planned.definition.node.name == node:
            consumed = planned.definition.node.consumes
            return {plan.nodes[plan.providers[each]].definition.node.name for each in consumed}
    return set()
