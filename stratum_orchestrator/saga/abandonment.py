"""The end of a run that an operator gives up: nothing of it is undone."""

from collections.abc import Sequence

from stratum_orchestrator.saga import instruction
from stratum_orchestrator.saga.inquiry import withdraw
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_state.model import (
    CompensationStatus,
    Fact,
    RunStatus,
    StepStatus,
    Trail,
)

_WHY = "the run was abandoned while it ran"


def ending(trail: Trail, now_ms: int, sequel: Sequel = unheard) -> Sequence[Fact]:
    """What to record, together, when no process of the run is alive any more.

    The run has to be one that `instruction.is_to_be_abandoned`. What was under way has an
    outcome that nobody knows.
    """
    told = instruction.latest(trail.run)
    cause = told.cause if told else None
    how = {"ended": now_ms, "error_class": "lost", "error": _WHY}
    steps = [each.to(StepStatus.LOST, **how) for each in trail.steps if not each.is_over]
    undoing = [
        each.to(CompensationStatus.FAILED, **how)
        for each in trail.compensations
        if not each.is_over
    ]
    questions = withdraw(trail.checkpoints, now_ms, cause)
    run = trail.run.to(RunStatus.ABANDONED, ended=now_ms, cause=cause)
    return [*steps, *undoing, *questions, sequel(run)]
