"""Legality of facts, over the whole of the tables."""

from dataclasses import replace
from itertools import product

import pytest

from stratum_state import moves
from stratum_state.errors import IllegalMove, Rejected
from stratum_state.model import (
    COMPENSATION_MOVES,
    RUN_MOVES,
    STEP_MOVES,
    Compensation,
    Fact,
    PipelineRun,
    RunStatus,
)
from support.records import a_compensation, a_run, a_step, a_verdict

RUN, STEP, COMPENSATION = a_run(), a_step(a_run()), a_compensation(a_run())


def run_in(status: RunStatus) -> Fact:
    how = Compensation.CLEAN if status is RunStatus.COMPENSATED else None
    return replace(RUN, status=status, compensation=how)


PAIRS = [
    *((run_in(a), run_in(b), b in RUN_MOVES[a]) for a, b in product(RUN_MOVES, repeat=2)),
    *(
        (replace(STEP, status=a), replace(STEP, status=b), b in STEP_MOVES[a])
        for a, b in product(STEP_MOVES, repeat=2)
    ),
    *(
        (
            replace(COMPENSATION, status=a),
            replace(COMPENSATION, status=b),
            b in COMPENSATION_MOVES[a],
        )
        for a, b in product(COMPENSATION_MOVES, repeat=2)
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "legal"),
    PAIRS,
    ids=[f"{moves.kind(before)}-{moves.kind(after)}" for before, after, _ in PAIRS],
)
def test_a_fact_follows_another_only_along_the_table(
    before: Fact, after: Fact, *, legal: bool
) -> None:
    if before == after:
        assert moves.changes(before, after) == {}
    elif legal:
        assert "status" in moves.changes(before, after)
    else:
        with pytest.raises(IllegalMove):
            moves.changes(before, after)


def test_a_first_fact_says_all_that_it_knows() -> None:
    said = moves.changes(None, STEP)

    assert said["started"] == STEP.started
    assert "ended" not in said


def test_a_later_fact_says_what_changes() -> None:
    after = replace(RUN, status=RunStatus.RUNNING, started=7)

    assert moves.changes(RUN, after) == {"status": "running", "started": 7}


def test_the_same_status_with_other_facts_is_no_move() -> None:
    with pytest.raises(IllegalMove):
        moves.changes(RUN, replace(RUN, cause="because"))


def test_a_run_is_told_something_wherever_it_is() -> None:
    for status in RunStatus:
        run = run_in(status)
        assert isinstance(run, PipelineRun)
        assert moves.changes(run, run.told("{}")) == {"instruction": "{}"}


def test_only_what_was_left_undone_can_be_waived() -> None:
    with pytest.raises(Rejected, match="can be waived"):
        moves.changes(RUN, RUN.told("{}", waived=True))


def test_only_a_compensated_run_says_how_well() -> None:
    after = replace(RUN, status=RunStatus.RUNNING, compensation=Compensation.CLEAN)

    with pytest.raises(Rejected, match="clean or partial"):
        moves.changes(RUN, after)


def test_a_verdict_stands() -> None:
    verdict = a_verdict()

    with pytest.raises(IllegalMove):
        moves.changes(verdict, replace(verdict, reason="on second thoughts"))
