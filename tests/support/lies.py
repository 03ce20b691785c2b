"""Histories in which one promise is broken, each by the invariant that should say so."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from stratum_orchestrator.audit.observed import Announced, Commit, Effect
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    VerdictKind,
    VerdictRecord,
)
from support.story import Story, told

DIAMOND, ORDER = told("diamond"), told("order")
Lie = Callable[[], Story]


def attempt(node: str, number: int, status: StepStatus) -> StepRecord:
    """One more attempt at a node of the diamond."""
    first = DIAMOND.the(f"step.started {node} 1")
    assert isinstance(first, StepRecord)
    over = status is not StepStatus.STARTED
    ended = replace(first, attempt=number, status=status, ended=first.started if over else None)
    return replace(ended, error_class="exit") if status is StepStatus.FAILED else ended


def undoing(node: str, status: CompensationStatus, number: int = 1) -> CompensationRecord:
    """An attempt at undoing a node of the diamond."""
    step = attempt(node, 1, StepStatus.STARTED)
    return CompensationRecord(
        run=step.run,
        node=node,
        stage=step.stage,
        attempt=number,
        outcome="succeeded",
        status=status,
        started=step.started,
        ended=None if status is CompensationStatus.STARTED else step.started,
    )


def effect(story: Story, node: str, **fields: object) -> Effect:
    """One more effect of a node."""
    known = [each for each in story.around.effects or () if each.node == node]
    order = len(story.around.effects or ()) + 1
    return replace(known[0], order=order, **fields)  # type: ignore[arg-type]


def with_effects(story: Story, *more: Effect) -> Story:
    return story.seen_as(effects=[*(story.around.effects or ()), *more])


def with_run(story: Story, **fields: object) -> Story:
    def change(fact: Fact) -> Fact:
        return replace(fact, **fields) if isinstance(fact, PipelineRun) else fact  # type: ignore[arg-type]

    return story.changed(change)


def with_verdict(story: Story, **fields: object) -> Story:
    def change(fact: Fact) -> Fact:
        return replace(fact, **fields) if isinstance(fact, VerdictRecord) else fact  # type: ignore[arg-type]

    return story.changed(change)


def verdict(story: Story, **fields: object) -> VerdictRecord:
    """One more verdict."""
    known = story.the("verdict.accepted")
    assert isinstance(known, VerdictRecord)
    return replace(known, id="2" * 25, **fields)  # type: ignore[arg-type]


def second_run() -> Story:
    run = DIAMOND.the("run.accepted")
    assert isinstance(run, PipelineRun)
    twin = replace(run, id=f"7{run.id[1:]}")
    also = verdict(DIAMOND, sequence=2, runs=(twin.id,))
    return DIAMOND.seen_as(settled=False).plus(twin, also)


def failing_siblings() -> Story:
    """`b` fails for good while `c` still tries; then the run is undone."""
    done = DIAMOND.until("step.succeeded a 1")
    b = [
        attempt("b", number, status)
        for number in (1, 2, 3)
        for status in (StepStatus.STARTED, StepStatus.FAILED)
    ]
    run = DIAMOND.the("run.running")
    assert isinstance(run, PipelineRun)
    turned = run.to(RunStatus.COMPENSATING, cause="b failed")
    return done.plus(
        *(b[:-1]),
        attempt("c", 1, StepStatus.STARTED),
        b[-1],
        attempt("c", 1, StepStatus.FAILED),
        turned,
        undoing("a", CompensationStatus.STARTED),
        undoing("a", CompensationStatus.DONE),
        turned.to(RunStatus.COMPENSATED, compensation=Compensation.CLEAN),
    ).seen_as(effects=[_first_effect("a"), effect(DIAMOND, "a", kind="undo", key="u")])


def trying_on() -> Story:
    tries = [attempt("c", 2, StepStatus.STARTED), attempt("c", 2, StepStatus.FAILED)]
    tries += [attempt("c", 3, StepStatus.STARTED), attempt("c", 3, StepStatus.FAILED)]
    return failing_siblings().plus(*tries, before="run.compensating")


def _first_effect(node: str) -> Effect:
    return next(each for each in DIAMOND.around.effects or () if each.node == node)


def another_plan() -> Story:
    [digest] = {each.plan for each in DIAMOND.facts if isinstance(each, PipelineRun)}
    plan = DIAMOND.around.plans[digest]
    altered = msgspec.structs.replace(plan, pruned=())
    return DIAMOND.seen_as(plans={digest: msgspec.structs.replace(altered, pipeline="else")})


def announced(*whats: tuple[str, str]) -> Story:
    known = [Announced(run=DIAMOND.run, what=what, identity=by) for what, by in whats]
    return DIAMOND.seen_as(announced=known)


def believed() -> Story:
    [trail] = DIAMOND.observed().trails
    return DIAMOND.seen_as(believed=[replace(trail, steps=trail.steps[:-1])])


LIES: dict[str, tuple[str, Lie]] = {
    "an event without a verdict": ("I1", lambda: DIAMOND.without("verdict.accepted")),
    "two verdicts on one event": ("I1", lambda: DIAMOND.plus(verdict(DIAMOND))),
    "a run that is gone": (
        "I1",
        lambda: with_verdict(DIAMOND, runs=(DIAMOND.run, "gone")),
    ),
    "two runs of one event": ("I2", second_run),
    "an identity of nothing": ("I2", lambda: with_run(DIAMOND, identity="f" * 64)),
    "a node that succeeded twice": (
        "I3",
        lambda: with_effects(DIAMOND, effect(DIAMOND, "a", attempt=2)).plus(
            attempt("a", 2, StepStatus.STARTED),
            attempt("a", 2, StepStatus.SUCCEEDED),
            before="step.started b 1",
        ),
    ),
    "a stage that began early": (
        "I4",
        lambda: DIAMOND.moved("step.started d 1", before="step.succeeded c 1"),
    ),
    "a write of one who had lost the run": (
        "I5",
        lambda: DIAMOND.seen_as(
            commits=[Commit(run=DIAMOND.run, epoch=each) for each in (2, 1)]
        ),
    ),
    "an effect that nobody announced": (
        "I6",
        lambda: with_effects(DIAMOND, effect(DIAMOND, "d", attempt=2)),
    ),
    "an effect of no run": (
        "I6",
        lambda: with_effects(DIAMOND, effect(DIAMOND, "d", run="x", key="x")),
    ),
    "a success that never happened": ("I6", lambda: DIAMOND.undone_effects("d")),
    "a cache that believes something else": ("I6", believed),
    "news of what is not on record": ("I6", lambda: announced(("step.lost", "1"))),
    "a run that nobody carries": ("I7", lambda: DIAMOND.without("run.completed")),
    "a compensation that never ended": (
        "I7",
        lambda: ORDER.without("compensation.done reserve 1"),
    ),
    "a step that was never undone": (
        "I8",
        lambda: ORDER.without(
            "compensation.started reserve 1", "compensation.done reserve 1"
        ).seen_as(
            effects=[
                e for e in ORDER.around.effects or () if e.kind == "do" or e.node != "reserve"
            ]
        ),
    ),
    "a clean end that was none": (
        "I8",
        lambda: ORDER.changed(
            lambda fact: (
                replace(fact, compensation=Compensation.CLEAN)
                if isinstance(fact, PipelineRun) and fact.compensation
                else fact
            )
        ),
    ),
    "stages undone in their order": (
        "I9",
        lambda: ORDER.moved(
            "compensation.started reserve 1",
            "compensation.done reserve 1",
            before="compensation.started charge 1",
        ),
    ),
    "an effect after its undoing": (
        "I9",
        lambda: with_effects(ORDER, effect(ORDER, "reserve")),
    ),
    "a completed run that was undone": (
        "I10",
        lambda: with_effects(DIAMOND, effect(DIAMOND, "a", kind="undo", key="u")).plus(
            undoing("a", CompensationStatus.STARTED), undoing("a", CompensationStatus.DONE)
        ),
    ),
    "a completed run that left something out": (
        "I10",
        lambda: DIAMOND.without("step.started d 1", "step.succeeded d 1").undone_effects("d"),
    ),
    "another key for the same thing": (
        "I11",
        lambda: with_effects(DIAMOND, effect(DIAMOND, "a", key="other")),
    ),
    "the same key for another thing": (
        "I11",
        lambda: DIAMOND.seen_as(
            effects=[replace(each, key="k") for each in DIAMOND.around.effects or ()]
        ),
    ),
    "another plan than the recorded one": ("I14", another_plan),
    "a run without permission": (
        "I16",
        lambda: with_run(DIAMOND, authorization='{"allowed":false,"policies":[]}'),
    ),
    "a permission in spite of errors": (
        "I16",
        lambda: with_run(
            DIAMOND,
            authorization='{"allowed":true,"policies":["p"],"policy_set":"s","errors":["e"]}',
        ),
    ),
    "a run of an event that nobody signed": (
        "I16",
        lambda: DIAMOND.seen_as(
            published=[replace(each, well_signed=False) for each in DIAMOND.around.published]
        ),
    ),
    "an attempt that ended and began again": (
        "I17",
        lambda: DIAMOND.plus(attempt("a", 1, StepStatus.LOST), before="run.completed"),
    ),
    "a sibling that tries on": ("I18", trying_on),
    "a step that ends while it is undone": (
        "I18",
        lambda: failing_siblings().moved("step.failed c 1", before="run.compensated"),
    ),
    "an end that was announced twice": (
        "I21",
        lambda: announced(("run.completed", "1"), ("run.completed", "2")),
    ),
    "a refused event with a run": (
        "I22",
        lambda: DIAMOND.plus(
            verdict(DIAMOND, sequence=2, kind=VerdictKind.REFUSED, code="denied")
        ),
    ),
    "a run of no event": (
        "I22",
        lambda: with_verdict(DIAMOND, kind=VerdictKind.NO_PIPELINE, runs=()),
    ),
    "a run of another event": ("I22", lambda: with_verdict(DIAMOND, event_id="another")),
}
