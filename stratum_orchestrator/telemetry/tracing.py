"""Follows the facts that become durable, and sends the spans that they complete."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stratum_orchestrator.ports import Command, Ended, Equip, Runner, as_it_is
from stratum_orchestrator.telemetry import spans
from stratum_orchestrator.telemetry.spans import Span
from stratum_orchestrator.trace import VARIABLE, TraceContext, of_attempt, of_run, passed_on
from stratum_state import moves
from stratum_state.activation import ActivationRecord
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.model import (
    CompensationRecord,
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    Trail,
    VerdictKind,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord

Told = Callable[[str, str | None], str]
"""A run's id and what its event came with to the `traceparent` of what follows from it."""
OfRun = StepRecord | CompensationRecord | CredentialLease


class Sink(Protocol):
    """Where spans go."""

    def wants(self, root: TraceContext) -> bool:
        """Whether a trace that begins here is to be recorded: always the same answer."""
        ...

    def send(self, span: Span) -> None:
        """Take it along; returns at once."""
        ...


@dataclass(slots=True)
class _Going:
    """A run that is not over, and of which the spans are sent."""

    own: TraceContext
    sent: set[moves.Place]


class Tracing:
    """One trace for each run, whichever processes carry it.

    What another process has sent, or was killed before it could, is sent again with the end
    of the run: the same spans with the same ids.
    """

    def __init__(self, sink: Sink, trail: Callable[[str], Trail | None]) -> None:
        """`trail` gives a live run as it is on record."""
        self._sink = sink
        self._trail = trail
        self._going: dict[str, _Going] = {}

    def told(self, run: str, told: str | None) -> str:
        """The run's own span, for who follows it."""
        return str(self._own(run, told))

    def observe(self, facts: Sequence[Fact]) -> None:
        """Send what is complete by these facts, which have just become durable."""
        for fact in facts:
            match fact:
                case PipelineRun():
                    self._run(fact)
                case VerdictRecord():
                    self._verdict(fact)
                case ActivationRecord() | StandingRecord() | DecisionRecord():
                    pass
                case Checkpoint() | Answer():
                    pass
                case _:
                    self._part(fact)

    def _run(self, run: PipelineRun) -> None:
        going = self._going.get(run.id)
        if going is None:
            going = self._going[run.id] = _Going(self._own(run.id, run.trace), set())
        if run.status is RunStatus.SUSPENDED:
            del self._going[run.id]  # it may be for days; found again when it goes on
        if not run.is_over:
            return
        del self._going[run.id]
        if going.own.sampled and (trail := self._trail(run.id)) is not None:
            for span in _whole(trail, going):
                self._sink.send(span)

    def _part(self, fact: OfRun) -> None:
        going = self._going.get(fact.run) or self._found(fact.run)
        if going is not None and going.own.sampled and fact.is_over:
            going.sent.add(moves.place(fact))
            self._sink.send(_span(fact, going.own))

    def _found(self, run_id: str) -> _Going | None:
        """A run that another process has begun; None when it is over, or not ours."""
        trail = self._trail(run_id)
        if trail is None or trail.run.is_over:
            return None
        own = self._own(run_id, trail.run.trace)
        return self._going.setdefault(run_id, _Going(own, set()))

    def _verdict(self, verdict: VerdictRecord) -> None:
        if verdict.kind is not VerdictKind.ACCEPTED:
            own = self._own(verdict.id, None)
            if own.sampled:
                self._sink.send(spans.intake(verdict, own))
            return
        for run in verdict.runs:
            going = self._going.get(run)
            if going is not None and going.own.sampled:
                self._sink.send(spans.intake(verdict, going.own))

    def _own(self, run_id: str, told: str | None) -> TraceContext:
        own = of_run(run_id, told)
        return own if told else replace(own, sampled=self._sink.wants(own))


class Traced:
    """Tells each process which span it is in."""

    def __init__(self, runner: Runner, told: Told = passed_on, *, is_recorded: bool) -> None:
        self._runner = runner
        self._told = told
        self._is_recorded = is_recorded

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        return await self._runner.run(self._with_context(command), equip)

    def _with_context(self, command: Command) -> Command:
        said = self._told(command.run, command.trace)
        if said and self._is_recorded:
            own = TraceContext.parse(said)
            kind, node = command.kind.value, command.node
            said = str(of_attempt(own, kind, node, command.attempt)) if own else ""
        return replace(command, env={**_variable(said), **command.env})


def _variable(said: str) -> Mapping[str, str]:
    return {VARIABLE: said} if said else {}


def _whole(trail: Trail, going: _Going) -> Iterator[Span]:
    parts: tuple[OfRun, ...] = (*trail.steps, *trail.compensations, *trail.leases)
    for fact in parts:
        if fact.is_over and moves.place(fact) not in going.sent:
            yield _span(fact, going.own)
    yield from spans.stages(trail, going.own)
    yield spans.run(trail.run, going.own)


def _span(fact: OfRun, own: TraceContext) -> Span:
    if isinstance(fact, CredentialLease):
        return spans.lease(fact, own)
    return spans.attempt(fact, own)
