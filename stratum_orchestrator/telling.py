"""What listeners on the broker are told of facts that have become durable. No payloads."""

from collections.abc import Callable, Mapping, Sequence

from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.model import CompensationRecord, Fact, PipelineRun, StepRecord

Told = tuple[str, str, Mapping[str, object]]
"""Run, what happened (`step.succeeded`), and the facts."""


def tell(fact: Fact) -> Told | None:
    """The announcement of a fact, or None for what is no matter of a run."""
    match fact:
        case PipelineRun():
            return fact.id, f"run.{fact.status}", _run(fact)
        case StepRecord():
            return fact.run, f"step.{fact.status}", _attempt(fact)
        case CompensationRecord():
            return fact.run, f"compensation.{fact.status}", _attempt(fact)
        case Checkpoint():
            return fact.run, f"checkpoint.{fact.status}", _question(fact)
        case Answer():
            return fact.run, f"answer.{fact.status}", _answer(fact)
        case _:
            return None


def _run(run: PipelineRun) -> Mapping[str, object]:
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "status": str(run.status),
        "compensation": run.compensation and str(run.compensation),
        "cause": run.cause,
        "accepted": run.accepted,
        "ended": run.ended,
    }


def _attempt(record: StepRecord | CompensationRecord) -> Mapping[str, object]:
    return {
        "run": record.run,
        "node": record.node,
        "stage": record.stage,
        "attempt": record.attempt,
        "status": str(record.status),
        "started": record.started,
        "ended": record.ended,
        "error_class": record.error_class,
    }


def _question(asked: Checkpoint) -> Mapping[str, object]:
    return {
        "run": asked.run,
        "node": asked.node,
        "stage": asked.stage,
        "status": str(asked.status),
        "groups": list(asked.groups),
        "count": asked.count,
        "asked": asked.asked,
        "deadline": asked.deadline,
        "ended": asked.ended,
    }


def _answer(given: Answer) -> Mapping[str, object]:
    return {
        "run": given.run,
        "node": given.node,
        "stage": given.stage,
        "status": str(given.status),
        "person": given.person,
        "at": given.answered,
    }


class Ears:
    """Everybody who is told what has become durable, in turn. None of them may wait."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Sequence[Fact]], None]] = []

    def __call__(self, facts: Sequence[Fact]) -> None:
        for listener in self.listeners:
            listener(facts)


def announcing(
    announce: Callable[[str, str, Mapping[str, object]], None],
) -> Callable[[Sequence[Fact]], None]:
    """A listener that passes on what is a matter of a run."""

    def listen(facts: Sequence[Fact]) -> None:
        for told in map(tell, facts):
            if told is not None:
                announce(*told)

    return listen
