"""Ways to tell an honest history wrong."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from stratum_orchestrator.audit.observed import Announced, Effect
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    VerdictRecord,
)
from support.story import Story, told, word_of

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


def timing_out(*, lasted_ms: int) -> Story:
    """`a` times out, and succeeds when it is tried again."""

    def later(fact: Fact) -> Fact:
        if isinstance(fact, StepRecord) and word_of(fact) == "step.succeeded a 1":
            return replace(fact, attempt=2)
        return fact

    again = (attempt("a", 1, StepStatus.TIMED_OUT), attempt("a", 2, StepStatus.STARTED))
    story = DIAMOND.plus(*again, before="step.succeeded a 1").changed(later)
    return with_effects(story, effect(DIAMOND, "a", attempt=2)).seen_as(lasted_ms=lasted_ms)


def trying_on() -> Story:
    tries = [attempt("c", 2, StepStatus.STARTED), attempt("c", 2, StepStatus.FAILED)]
    tries += [attempt("c", 3, StepStatus.STARTED), attempt("c", 3, StepStatus.FAILED)]
    return failing_siblings().plus(*tries, before="run.compensating")


def _first_effect(node: str) -> Effect:
    return next(each for each in DIAMOND.around.effects or () if each.node == node)


def _running() -> PipelineRun:
    run = DIAMOND.the("run.running")
    assert isinstance(run, PipelineRun)
    return run


def abandoned() -> Story:
    """Given up after its first step, by whom is not known."""
    told_so_far = DIAMOND.until("step.succeeded a 1").undone_effects("b", "c", "d")
    return told_so_far.plus(_running().to(RunStatus.ABANDONED))


def obeying_nobody() -> Story:
    """An instruction without anybody who gave it."""
    told = '{"action":"cancel"}'
    remark = _running().told(told)
    return DIAMOND.without("run.completed").plus(remark, remark.to(RunStatus.COMPLETED))


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
