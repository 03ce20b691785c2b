"""The door: every delivered event gets one verdict, and an accepted one its runs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from platform_nats.delivery import Answer, Delivery
from platform_nats.envelope import Limits, open_envelope
from platform_nats.errors import EnvelopeRefused
from stratum_graph.model import Principal
from stratum_graph.subjects import covers
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.errors import NoRoom, Refused
from stratum_orchestrator.logs import about
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga import grant
from stratum_orchestrator.saga.delegation import Asker
from stratum_orchestrator.saga.depth import DEEPEST, depth_of
from stratum_orchestrator.saga.edition import Editions, InForceAlone, Unchosen, chosen
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.rules import Judgement, Rules, judge
from stratum_orchestrator.saga.verdict import (
    Drafted,
    Signed,
    draft,
    no_pipeline,
    refused,
    unchosen,
)
from stratum_orchestrator.strict_json import NotStrictJson, decode
from stratum_orchestrator.trace import TraceContext, come_with
from stratum_state.errors import IllegalMove, Taken, Unavailable
from stratum_state.model import (
    PipelineRun,
    RunStatus,
    Trail,
    VerdictKind,
    VerdictRecord,
    identity,
    verdict_id,
)
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

_RACES = 8  # that one event can lose before something else must be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an event has to satisfy before anybody reads it."""

    audience: str
    """The deployment that it has to be signed for."""
    limits: Limits = field(default_factory=Limits)
    depth: int = DEEPEST
    """How many runs may lead to an event, each by its end."""


class Intake:
    """Decides, in one place, what every event deserves."""

    def __init__(  # noqa: PLR0913 - what it asks, and what it says as it goes
        self,
        rules: Callable[[], Rules],
        tracker: StateTracker,
        live: LiveRuns,
        clock: Clock,
        terms: Terms,
        *,
        editions: Editions | None = None,
        passed: Passed = UNARMED.passed,
    ) -> None:
        self._rules = rules
        self._editions = editions or InForceAlone()
        self._tracker = tracker
        self._live = live
        self._clock = clock
        self._terms = terms
        self._passed = passed

    async def handle(self, delivery: Delivery) -> Answer:
        """The broker's answer, once the verdict and the accepted runs are durable."""
        context = TraceContext.parse(come_with(delivery.headers) or "")
        with about(**({"trace_id": context.trace} if context else {})):
            return await self._judge(delivery)

    async def _judge(self, delivery: Delivery) -> Answer:
        try:
            drafted = await self._decide(delivery)
        except Unavailable:
            log.warning("store unavailable", extra={"sequence": delivery.sequence})
            return Answer.LATER
        except NoRoom as full:
            log.info("event has to wait", extra=_full(delivery, full))
            return Answer.LATER
        verdict = drafted.verdict
        log.info("event judged", extra=_summary(verdict))
        if verdict.kind is VerdictKind.REFUSED:
            return Answer.REFUSED
        return Answer.DONE

    async def _decide(self, delivery: Delivery) -> Drafted:
        for _ in range(_RACES):
            try:
                return await self._look(delivery)
            except (IllegalMove, Taken):  # another delivery of it was faster: look again
                continue
        return await self._look(delivery)

    async def _look(self, delivery: Delivery) -> Drafted:
        known = await self._tracker.verdict(verdict_id(delivery.stored_ms, delivery.sequence))
        if known is not None:
            return Drafted(verdict=known)
        rules = self._rules()
        try:
            event = self._open(delivery, rules)
        except Refused as refusal:
            return await self._record(refused(delivery, refusal, self._clock.now_ms()))
        self._passed("event.verified")
        asker = Asker(
            principal=rules.principals[event.envelope.publisher],
            grant=event.envelope.headers.get(grant.HEADER.lower(), ""),
        )
        headers = event.envelope.headers
        found = await chosen(self._editions, rules, asker, headers, event.now_ms)
        if isinstance(found, Unchosen):
            return await self._record(unchosen(event, found))
        rules = found
        event = replace(event, generation=rules.generation.digest, choice=rules.choice)
        judgements = judge(rules, asker, delivery.subject, event.data, event.now_ms)
        self._passed("event.judged")
        if not judgements:
            near = rules.generation.nearest_subject(delivery.subject)
            return await self._record(no_pipeline(event, near))
        return await self._admit(event, judgements)

    async def _admit(self, event: Signed, judgements: Sequence[Judgement]) -> Drafted:
        publisher, event_id = event.envelope.publisher, event.envelope.event_id
        keys = [identity(publisher, event_id, each.plan.pipeline) for each in judgements]
        judged = list(zip(keys, judgements, strict=True))
        return await self._open_runs(draft(event, judged, await self._tracker.inbox(keys)))

    async def _open_runs(self, drafted: Drafted) -> Drafted:
        begin = [run for run, _ in drafted.runs if not self._waits(run)]
        async with self._live.entrance.room_for(len(begin)):
            return await self._depart(drafted)

    async def _depart(self, drafted: Drafted) -> Drafted:
        for _, plan in drafted.runs:
            self._live.keep(plan)
            self._passed("plan.kept")
        accepted = [run for run, _ in drafted.runs]
        ahead = [run if self._waits(run) else self._begun(run) for run in accepted]
        await self._tracker.record(*accepted, *ahead, drafted.verdict)
        for run, (_, plan) in zip(ahead, drafted.runs, strict=True):
            self._live.start(Trail(run=run), plan)
            self._passed("run.departed")
        return drafted

    def _waits(self, run: PipelineRun) -> bool:
        return self._live.standings.holds(run.pipeline)

    def _begun(self, run: PipelineRun) -> PipelineRun:
        return run.to(RunStatus.RUNNING, started=self._clock.now_ms())

    async def _record(self, drafted: Drafted) -> Drafted:
        await self._tracker.record(drafted.verdict)
        return drafted

    def _open(self, delivery: Delivery, rules: Rules) -> Signed:
        """Check envelope and payload; Refused with the code of the first check that fails."""
        try:
            envelope = open_envelope(
                delivery,
                self._terms.audience,
                rules.principals.__contains__,
                self._terms.limits,
            )
            _check_key(rules.principals[envelope.publisher], envelope.publisher, delivery)
            depth = depth_of(envelope.headers, self._terms.depth)
            data = decode(delivery.body, safe_integers=True)
        except EnvelopeRefused as why:
            raise Refused(why.code, why.reason) from None
        except NotStrictJson as why:
            raise Refused("bad-json", f"the payload {why.reason}") from None
        return Signed(
            delivery=delivery,
            envelope=envelope,
            data=data,
            principal=rules.principals[envelope.publisher].name,
            generation=rules.generation.digest,
            now_ms=self._clock.now_ms(),
            depth=depth,
        )


def _check_key(principal: Principal, key: str, delivery: Delivery) -> None:
    """Refused when the key was the principal's no more when the event was stored.

    Or when the principal may not publish under the subject, by whatever way it came.
    """
    fault = principal.fault_of(key, delivery.stored_ms)
    if fault:
        reason = (
            f"the key {key} of {principal.name} is {fault}; sign with its present key, "
            f"{principal.key}"
        )
        raise Refused(f"{fault}-key", reason)
    allowed = principal.subjects
    if allowed and not any(covers(each, delivery.subject) for each in allowed):
        # a server that we run lets nobody so far; others, and what we pass on, have to be asked
        reason = f"{principal.name} may publish under {', '.join(allowed)}, nothing else"
        raise Refused("forbidden-subject", reason)


def _full(delivery: Delivery, full: NoRoom) -> dict[str, object]:
    return {"sequence": delivery.sequence, "why": str(full)}


def _summary(verdict: VerdictRecord) -> dict[str, object]:
    return {
        "event_id": verdict.event_id,
        "subject": verdict.subject,
        "sequence": verdict.sequence,
        "verdict": str(verdict.kind),
        "code": verdict.code,
        "runs": list(verdict.runs),
        "reason": verdict.reason,
    }
