"""The oracle finds nothing in an honest history, and each broken promise by its name."""

from dataclasses import replace

import pytest

from stratum_orchestrator.audit.observed import Commit, Peak, Process
from stratum_orchestrator.audit.oracle import check
from stratum_state.model import (
    Compensation,
    CompensationStatus,
    PipelineRun,
    StepStatus,
    VerdictKind,
)
from support.lies import (
    DIAMOND,
    ORDER,
    Lie,
    abandoned,
    announced,
    another_plan,
    attempt,
    believed,
    effect,
    failing_siblings,
    obeying_nobody,
    second_run,
    timing_out,
    trying_on,
    undoing,
    verdict,
    with_effects,
    with_run,
    with_verdict,
)
from support.story import Story, told

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
    "a process that outlives everything": (
        "I13",
        lambda: DIAMOND.seen_as(processes=[Process(pid=7, run=DIAMOND.run, node="a")]),
    ),
    "a process of a step that is over": (
        "I13",
        lambda: DIAMOND.seen_as(
            processes=[Process(pid=7, run=DIAMOND.run, node="a")], settled=False
        ),
    ),
    "another plan than the recorded one": ("I14", another_plan),
    "a script that is another by now": (
        "I15",
        lambda: DIAMOND.seen_as(contents={"sha256:a": "sha256:a", "sha256:b": "sha256:c"}),
    ),
    "a script that is gone": ("I15", lambda: DIAMOND.seen_as(contents={"sha256:a": ""})),
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
    "an end that no operator ordered": ("I16", abandoned),
    "an order of nobody": ("I16", obeying_nobody),
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
    "more than was allowed": (
        "I19",
        lambda: DIAMOND.seen_as(peaks=[Peak(what="runs", most=4, allowed=3)]),
    ),
    "a step that had less time than it is given": (
        "I20",
        lambda: timing_out(lasted_ms=1000),
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


@pytest.mark.parametrize("story", [DIAMOND, ORDER, told("wide"), failing_siblings()])
def test_an_honest_history_has_nothing_wrong(story: Story) -> None:
    assert check(story.observed()) == ()


@pytest.mark.parametrize(("invariant", "lie"), LIES.values(), ids=LIES.keys())
def test_a_broken_promise_is_found_and_no_other(invariant: str, lie: Lie) -> None:
    found = check(lie().observed())

    assert {each.invariant for each in found} == {invariant}, "\n".join(map(str, found))
