"""What the events say with which the end of a run, or a question of it, is published. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from stratum_orchestrator.clock import written
from stratum_orchestrator.saga.depth import HEADER
from stratum_orchestrator.strict_json import NotStrictJson, decode
from stratum_orchestrator.trace import HEADER as TRACE
from stratum_state.checkpoint import Checkpoint
from stratum_state.model import RunStatus, StepStatus, Trail

_VALUE, _ALL = 8 << 10, 64 << 10
"""Bytes of one output, and of all, that go along."""
_NESTED = 60  # levels; the whole event may have a few more
_CAUSE = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An event to be published, the same whoever publishes it."""

    subject: str
    event_id: str
    data: Mapping[str, object]
    headers: Mapping[str, str]


def notice(trail: Trail, trace: str = "") -> Notice:
    """The event of a run whose end is due, with the trace context that it goes on in."""
    run = trail.run
    outputs, omitted = _outputs(trail)
    return Notice(
        subject=run.notice or "",
        event_id=f"{run.id}.{run.status}",
        headers=_headers(trail, trace),
        data={
            "run": run.id,
            "pipeline": run.pipeline,
            "status": str(run.status),
            "compensation": run.compensation and str(run.compensation),
            "cause": run.cause and run.cause[:_CAUSE],
            "event": {"id": run.event_id, "subject": run.subject},
            "outputs": outputs,
            "omitted": omitted,
        },
    )


def inquiry(trail: Trail, question: Checkpoint, trace: str = "") -> Notice:
    """The event of a question that is due, with the trace context that it goes on in.

    What the step is given stays with the run: whoever may view it can ask for that.
    """
    run = trail.run
    return Notice(
        subject=question.notice or "",
        event_id=f"{run.id}.{question.node}.asked",
        headers=_headers(trail, trace),
        data={
            "run": run.id,
            "pipeline": run.pipeline,
            "status": "asked",
            "node": question.node,
            "groups": list(question.groups),
            "count": question.count,
            "deadline": written(question.deadline),
            "on_timeout": question.on_timeout,
            "plan": question.plan,
            "inputs": question.inputs,
            "event": {"id": run.event_id, "subject": run.subject},
        },
    )


def _headers(trail: Trail, trace: str) -> Mapping[str, str]:
    return {HEADER: str((trail.run.depth or 0) + 1), **({TRACE: trace} if trace else {})}


def _outputs(trail: Trail) -> tuple[Mapping[str, object], list[str]]:
    """The values of a run that completed, and the names of those that are too large."""
    found: dict[str, object] = {}
    omitted: list[str] = []
    room = _ALL
    for name, text in sorted(_produced(trail)):
        value = _carried(text)
        if value is None or len(text) > room:
            omitted.append(name)
            continue
        room -= len(text)
        found[name] = value[0]
    return found, omitted


def _produced(trail: Trail) -> Iterator[tuple[str, bytes]]:
    if trail.run.status is not RunStatus.COMPLETED:
        return
    for step in trail.steps:
        if step.status is StepStatus.SUCCEEDED:
            every = msgspec.json.decode(step.outputs or "{}", type=dict[str, msgspec.Raw])
            yield from ((name, bytes(raw)) for name, raw in every.items())


def _carried(text: bytes) -> tuple[object] | None:
    """The value, if every reader of the event gets the same."""
    if len(text) > _VALUE:
        return None
    try:
        return (decode(text, max_depth=_NESTED, safe_integers=True),)
    except NotStrictJson:
        return None
