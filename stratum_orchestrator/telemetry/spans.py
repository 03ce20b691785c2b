"""What is on record of a run, as spans. Pure; no payload and no message of a script is in one.

The names of attributes are those of OpenTelemetry's semantic conventions for CI/CD and for
messaging where they have one, and `stratum.…` otherwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from stratum_orchestrator.trace import TraceContext, of_attempt
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
    VerdictKind,
    VerdictRecord,
    stored_ms,
)

Value = str | int | bool
_RESULTS: Mapping[str, str] = {
    StepStatus.SUCCEEDED: "success",
    StepStatus.FAILED: "failure",
    StepStatus.TIMED_OUT: "timeout",
    StepStatus.CANCELLED: "cancellation",
    StepStatus.LOST: "error",
    StepStatus.SKIPPED: "skip",
    CompensationStatus.DONE: "success",
    CompensationStatus.FAILED: "failure",
    CompensationStatus.WAIVED: "skip",
    RunStatus.COMPLETED: "success",
    RunStatus.COMPENSATED: "failure",
    RunStatus.ABANDONED: "cancellation",
}
_GOOD = ("success", "skip")


class SpanKind(Enum):
    """As OpenTelemetry has them."""

    INTERNAL = "internal"
    SERVER = "server"
    CONSUMER = "consumer"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One that has ended. Times are Unix milliseconds."""

    name: str
    own: TraceContext
    parent: TraceContext | None
    kind: SpanKind = SpanKind.INTERNAL
    start: int
    end: int
    failed: bool = False
    attributes: Mapping[str, Value | None]


def run(of: PipelineRun, own: TraceContext) -> Span:
    """From when the broker stored the event until the run was over."""
    result = _RESULTS.get(of.status, "error")
    return Span(
        name=f"RUN {of.pipeline}",
        own=own,
        parent=TraceContext.parse(of.trace) if of.trace else None,
        kind=SpanKind.SERVER,
        start=min(stored_ms(of.id), of.accepted),
        end=of.ended or of.accepted,
        failed=result not in _GOOD,
        attributes={
            "cicd.pipeline.name": of.pipeline,
            "cicd.pipeline.run.id": of.id,
            "cicd.pipeline.result": result,
            "messaging.message.id": of.event_id,
            "stratum.principal": of.principal,
            "stratum.run.status": str(of.status),
            "stratum.run.compensation": of.compensation and str(of.compensation),
            "stratum.plan": of.plan,
            "stratum.generation": of.generation,
            "error.type": None if result in _GOOD else str(of.status),
        },
    )


def intake(of: VerdictRecord, own: TraceContext) -> Span:
    """From when the broker stored the event until what became of it was on record."""
    refused = of.kind is VerdictKind.REFUSED
    return Span(
        name="intake",
        own=own.below(own.span, "intake", of.id),
        parent=own if of.kind is VerdictKind.ACCEPTED else None,
        kind=SpanKind.CONSUMER,
        start=min(of.stored, of.at),
        end=of.at,
        failed=refused,
        attributes={
            "messaging.system": "nats",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": of.subject,
            "messaging.message.id": of.event_id,
            "stratum.verdict": str(of.kind),
            "error.type": of.code if refused else None,
        },
    )


def attempt(of: StepRecord | CompensationRecord, own: TraceContext) -> Span:
    """One process, or one that was not worth a process. `own` is the run's span."""
    undoes = isinstance(of, CompensationRecord)
    result = _RESULTS.get(of.status, "error")
    return Span(
        name=f"undo {of.node}" if undoes else of.node,
        own=of_attempt(own, "undo" if undoes else "do", of.node, of.attempt),
        parent=_way_back(own) if undoes else _stage(own, of.stage),
        start=of.started,
        end=of.ended or of.started,
        failed=result not in _GOOD,
        attributes={
            "cicd.pipeline.task.name": of.node,
            "cicd.pipeline.task.run.id": f"{of.run}/{of.node}/{of.attempt}",
            "cicd.pipeline.task.run.result": result,
            "error.type": None if result in _GOOD else of.error_class or str(of.status),
            "process.exit.code": of.exit_code,
            "stratum.stage": of.stage,
            "stratum.attempt": of.attempt,
            "stratum.step.status": str(of.status),
            "stratum.containment": of.level,
        },
    )


def lease(of: CredentialLease, own: TraceContext) -> Span:
    """From when a credential was asked for until nobody can use it any more."""
    parent = of_attempt(own, of.purpose, of.node, of.attempt)
    return Span(
        name=f"lease {of.node}",
        own=parent.below(parent.span, "lease"),
        parent=parent,
        kind=SpanKind.CLIENT,
        start=of.requested,
        end=of.ended or of.requested,
        failed=of.status is CredentialStatus.VOID,
        attributes={
            "stratum.credential.provider": of.provider,
            "stratum.credential.status": str(of.status),
            "stratum.credential.names": ",".join(of.names),
            "error.type": "void" if of.status is CredentialStatus.VOID else None,
        },
    )


def stages(of: Trail, own: TraceContext) -> Iterator[Span]:
    """Each stage from its first step's start to its last one's end, and the way back."""
    by_stage = sorted(of.steps, key=lambda each: each.stage)
    for number, group in groupby(by_stage, key=lambda each: each.stage):
        steps = list(group)
        last = {each.node: each for each in sorted(steps, key=lambda each: each.attempt)}
        bad = any(_RESULTS.get(each.status, "error") not in _GOOD for each in last.values())
        yield Span(
            name=f"stage {number + 1}",
            own=_stage(own, number),
            parent=own,
            start=min(each.started for each in steps),
            end=max(each.ended or each.started for each in steps),
            failed=bad,
            attributes={"stratum.stage": number, "stratum.steps": len(last)},
        )
    if of.compensations:
        undone, partial = of.compensations, of.run.compensation is Compensation.PARTIAL
        yield Span(
            name="way back",
            own=_way_back(own),
            parent=own,
            start=min(each.started for each in undone),
            end=max(each.ended or each.started for each in undone),
            failed=partial,
            attributes={"stratum.steps": len({each.node for each in undone})},
        )


def _stage(own: TraceContext, number: int) -> TraceContext:
    return own.below(own.span, "stage", number)


def _way_back(own: TraceContext) -> TraceContext:
    return own.below(own.span, "way-back")
