"""Drafting the verdict on an event, and the runs that it opens. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from platform_nats.delivery import Delivery
from platform_nats.envelope import Envelope
from platform_nats.statement import EVENT_ID, PUBLISHER
from stratum_graph.model import Plan
from stratum_orchestrator import trace
from stratum_orchestrator.errors import Refused
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.edition import ACTION, Unchosen
from stratum_orchestrator.saga.rules import Choice, Judgement
from stratum_state import canonical
from stratum_state.model import (
    PipelineRun,
    VerdictKind,
    VerdictRecord,
    run_id,
    verdict_id,
)

_SHOWN = 128  # characters of a header that nobody vouches for


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A verdict, and the new runs with their plans."""

    verdict: VerdictRecord
    runs: tuple[tuple[PipelineRun, Plan], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A verified event in the stream, and what is in force while it is judged."""

    delivery: Delivery
    envelope: Envelope
    data: object
    principal: str
    generation: str
    now_ms: int
    depth: int = 0
    choice: Choice | None = None
    """The version that it names."""


def refused(delivery: Delivery, refusal: Refused, now_ms: int) -> Drafted:
    """The verdict on an event that cannot be believed: its headers are only claims."""
    return Drafted(
        verdict=VerdictRecord(
            id=verdict_id(delivery.stored_ms, delivery.sequence),
            sequence=delivery.sequence,
            subject=delivery.subject,
            event_id=delivery.headers.get(EVENT_ID, "")[:_SHOWN],
            publisher=delivery.headers.get(PUBLISHER, "")[:_SHOWN],
            kind=VerdictKind.REFUSED,
            code=refusal.code,
            reason=refusal.reason,
            stored=delivery.stored_ms,
            at=now_ms,
        )
    )


def unchosen(event: Signed, why: Unchosen) -> Drafted:
    """The verdict on an event that names a version which cannot judge it."""
    decision, refusal = why.decision, why.refusal
    said = {"pipeline": "", "code": refusal.code, "reason": refusal.reason, "action": ACTION}
    asked = [{**said, **_policies(decision)}] if decision else []
    kind = VerdictKind.REFUSED
    return Drafted(verdict=_verdict(event, kind, refusal.code, refusal.reason, (), asked))


def no_pipeline(event: Signed, nearest: str | None) -> Drafted:
    """The verdict on an event that no trigger matches."""
    hint = f"; the nearest trigger is {nearest}" if nearest else ""
    where = f" in version {event.choice.version}" if event.choice else ""
    reason = f"no pipeline is triggered by {event.delivery.subject}{where}{hint}"
    return Drafted(verdict=_verdict(event, VerdictKind.NO_PIPELINE, "no-pipeline", reason))


def draft(
    event: Signed, judged: Sequence[tuple[str, Judgement]], taken: Mapping[str, str]
) -> Drafted:
    """The verdict on an event that opens pipelines.

    `judged` pairs each judgement with the identity of the run that it would make; `taken`
    maps identities that have a run already to that run.
    """
    runs = tuple(
        (_run(event, key, judgement), judgement.plan)
        for key, judgement in judged
        if judgement.allowed and key not in taken
    )
    ids = [
        taken.get(key) or run_id(event.delivery.stored_ms, key)
        for key, j in judged
        if j.allowed
    ]
    kind, code = _kind(judged, taken, new=bool(runs))
    reason = "; ".join(_said(judgement, taken.get(key)) for key, judgement in judged)
    authorization = [_decision(event, judgement) for _, judgement in judged]
    return Drafted(verdict=_verdict(event, kind, code, reason, ids, authorization), runs=runs)


def _kind(
    judged: Sequence[tuple[str, Judgement]], taken: Mapping[str, str], *, new: bool
) -> tuple[VerdictKind, str]:
    if new:
        return VerdictKind.ACCEPTED, "accepted"
    if any(judgement.allowed and key in taken for key, judgement in judged):
        return VerdictKind.DUPLICATE, "duplicate"
    return VerdictKind.REFUSED, judged[0][1].code


def _said(judgement: Judgement, run: str | None) -> str:
    if judgement.allowed and run:
        return f"{judgement.plan.pipeline}: run {run} was made of this event before"
    return f"{judgement.plan.pipeline}: {judgement.reason}"


def _decision(event: Signed, judgement: Judgement) -> Mapping[str, object]:
    decision, choice = judgement.decision, event.choice
    said: Mapping[str, object] = {
        "pipeline": judgement.plan.pipeline,
        "code": judgement.code,
        "reason": judgement.reason,
        **({"version": choice.version, "chosen_by": list(choice.policies)} if choice else {}),
    }
    return {**said, **_policies(decision)} if decision else said


def _policies(decision: Decision) -> Mapping[str, object]:
    return {
        "allowed": decision.allowed,
        "policies": list(decision.policies),
        "errors": list(decision.errors),
        "policy_set": decision.policy_set,
        **({"mandate": asdict(decision.mandate)} if decision.mandate else {}),
    }


def _run(event: Signed, key: str, judgement: Judgement) -> PipelineRun:
    return PipelineRun(
        id=run_id(event.delivery.stored_ms, key),
        identity=key,
        pipeline=judgement.plan.pipeline,
        subject=event.delivery.subject,
        event_id=event.envelope.event_id,
        event_time=event.envelope.time_ms,
        publisher=event.envelope.publisher,
        principal=event.principal,
        data=canonical.text(event.data),
        plan=judgement.plan.digest,
        generation=event.generation,
        authorization=canonical.text(_decision(event, judgement)),
        accepted=event.now_ms,
        depth=event.depth or None,
        trace=trace.come_with(event.delivery.headers),
    )


def _verdict(  # noqa: PLR0913, PLR0917 - the parts of one record
    event: Signed,
    kind: VerdictKind,
    code: str,
    reason: str,
    runs: Sequence[str] = (),
    authorization: Sequence[Mapping[str, object]] = (),
) -> VerdictRecord:
    return VerdictRecord(
        id=verdict_id(event.delivery.stored_ms, event.delivery.sequence),
        sequence=event.delivery.sequence,
        subject=event.delivery.subject,
        event_id=event.envelope.event_id,
        publisher=event.envelope.publisher,
        kind=kind,
        code=code,
        reason=reason,
        runs=tuple(runs),
        authorization=canonical.text(list(authorization)),
        stored=event.delivery.stored_ms,
        at=event.now_ms,
    )
