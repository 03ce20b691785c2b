"""The way back: everything that happened is undone in reverse, each undoing on record."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import anyio
import msgspec
from anyio.lowlevel import checkpoint_if_cancelled

from stratum_graph.model import Plan, PlannedNode, Retry
from stratum_orchestrator.errors import BadReference
from stratum_orchestrator.logs import about
from stratum_orchestrator.ports import Clock, Ended, Failure, Kind, Rng, Runner
from stratum_orchestrator.saga import command
from stratum_orchestrator.saga.backoff import pause_s
from stratum_orchestrator.saga.command import Undoing
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.instruction import granted
from stratum_orchestrator.saga.lending import Lender
from stratum_orchestrator.saga.step import LOST_ATTEMPTS, outcome_facts
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    StepRecord,
    StepStatus,
)
from stratum_state.tracker import StateTracker

_INTERRUPTED = (StepStatus.CANCELLED, StepStatus.LOST, StepStatus.TIMED_OUT)
_NEVER_DECLARED = "not-declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """A node that has to be undone, and what became of it on the way forward."""

    planned: PlannedNode
    outcome: str
    outputs: Mapping[str, object] | None
    end: int
    """The place of its end among all ends of the run."""

    @property
    def name(self) -> str:
        return self.planned.definition.node.name


class Compensator:
    """Undoes nodes one after the other; one that cannot be undone never stops the others."""

    def __init__(
        self,
        runner: Runner,
        tracker: StateTracker,
        clock: Clock,
        rng: Rng,
        *,
        lender: Lender,
    ) -> None:
        self._lender = lender
        self._runner = runner
        self._tracker = tracker
        self._clock = clock
        self._rng = rng

    async def undo_all(
        self,
        plan: Plan,
        context: RunContext,
        steps: Sequence[StepRecord],
        before: Sequence[CompensationRecord],
    ) -> Sequence[CompensationRecord]:
        """Undo what the steps did, newest first; the last attempt at each.

        Attempts in `before` are on record already. What was begun before is brought to its end
        first: ends that were recorded at the same time may be remembered in another order by
        the next process.
        """
        ends = []
        begun = {each.node for each in before}
        for undo in sorted(to_undo(plan, steps), key=lambda each: each.name not in begun):
            attempts = [each for each in before if each.node == undo.name]
            ends.append(await self._undo(undo, context, attempts))
        return ends

    async def _undo(
        self, undo: Undo, context: RunContext, attempts: list[CompensationRecord]
    ) -> CompensationRecord:
        compensate = undo.planned.definition.node.compensate
        if attempts and not attempts[-1].is_over:
            attempts[-1] = await self._lose(attempts[-1])
        if compensate is None:
            return attempts[-1] if attempts else await self._admit(undo, context)
        spent = granted(context.run, undo.planned.definition.node.name)
        while _is_worth_another(compensate.retry, attempts, spent):
            failures = len(attempts) - spent
            if failures and attempts[-1].error_class != "lost":
                await anyio.sleep(pause_s(compensate.retry, failures, self._rng))
            await checkpoint_if_cancelled()  # as before an attempt at a step
            number = len(attempts) + 1
            with about(undoes=undo.name, attempt=number):
                attempts.append(await self._attempt(undo, context, number))
        return attempts[-1]

    async def _attempt(
        self, undo: Undo, context: RunContext, number: int
    ) -> CompensationRecord:
        record = self._begin(undo, context, number)
        loan = self._lender.lend(record.run, undo.planned, number, Kind.UNDO)
        await self._tracker.record(record, *loan.facts)
        what = Undoing(outputs=undo.outputs, outcome=undo.outcome, cause=context.run.cause)
        try:
            process = command.undo(undo.planned, context, number, what)
            ended = await loan.run(self._runner, process)
        except anyio.get_cancelled_exc_class():
            await loan.record_end()
            raise
        except BadReference as bad:
            ended = Ended(
                outputs=None, failure=Failure(error_class="bad-input", message=str(bad))
            )
        good = ended.failure is None
        status = CompensationStatus.DONE if good else CompensationStatus.FAILED
        over = record.to(status, ended=self._clock.now_ms(), **outcome_facts(ended))
        await loan.record_end(over)
        return over

    async def _lose(self, record: CompensationRecord) -> CompensationRecord:
        over = record.to(
            CompensationStatus.FAILED,
            ended=self._clock.now_ms(),
            error_class="lost",
            error="the daemon ended while it ran",
        )
        await self._tracker.record(over)
        return over

    async def _admit(self, undo: Undo, context: RunContext) -> CompensationRecord:
        """Say on record that an effect stays, because nothing undoes it."""
        node = undo.planned.definition.node
        started = self._begin(undo, context, 1)
        over = started.to(
            CompensationStatus.FAILED,
            ended=started.started,
            error_class=_NEVER_DECLARED,
            error=f"`{node.name}` is {node.effect} and declares no compensation",
        )
        await self._tracker.record(started, over)
        return over

    def _begin(self, undo: Undo, context: RunContext, number: int) -> CompensationRecord:
        return CompensationRecord(
            run=context.run.id,
            node=undo.planned.definition.node.name,
            stage=undo.planned.stage,
            attempt=number,
            outcome=undo.outcome,
            started=self._clock.now_ms(),
        )


def judged(ends: Iterable[CompensationRecord]) -> Mapping[str, object]:
    """What the run says of these last attempts: how well, and whether the rest was waived.

    What was waived was not undone: the run stays partial.
    """
    open_ends = [each for each in ends if each.status is not CompensationStatus.DONE]
    if not open_ends:
        return {"compensation": Compensation.CLEAN}
    waived = all(each.status is CompensationStatus.WAIVED for each in open_ends)
    return {"compensation": Compensation.PARTIAL, "waived": waived or None}


def last_attempts(records: Iterable[CompensationRecord]) -> Mapping[str, CompensationRecord]:
    """The latest attempt at undoing each node."""
    return {each.node: each for each in sorted(records, key=lambda each: each.attempt)}


def to_undo(plan: Plan, steps: Sequence[StepRecord]) -> Sequence[Undo]:
    """What has to be undone: reverse stage order, within a stage in reverse order of ending.

    `steps` are in the order of their ends, as a trail has them: clocks may be set meanwhile.
    """
    planned = {each.definition.node.name: each for each in plan.nodes}
    ends = {step.node: at for at, step in enumerate(steps)}
    by_node = sorted(steps, key=lambda step: (step.node, step.attempt))
    found = [
        undo
        for name, attempts in groupby(by_node, key=lambda step: step.node)
        for undo in _judge(planned[name], list(attempts), ends[name])
    ]
    return sorted(found, key=lambda undo: (undo.planned.stage, undo.end), reverse=True)


def _is_worth_another(retry: Retry, attempts: Sequence[CompensationRecord], spent: int) -> bool:
    """Whether one more attempt is allowed after these, of which `spent` do not count."""
    if not attempts:
        return True
    allowed = retry.attempts
    if any(each.error_class == "lost" for each in attempts[spent:]):
        allowed = max(allowed, LOST_ATTEMPTS)
    return attempts[-1].status is CompensationStatus.FAILED and len(attempts) - spent < allowed


def _judge(planned: PlannedNode, attempts: Sequence[StepRecord], end: int) -> Iterator[Undo]:
    node = planned.definition.node
    outcome = outcome_of(attempts)
    leaves_traces = node.effect != "pure" and outcome != "failed"
    wanted = outcome in node.compensate.on if node.compensate else leaves_traces
    if not outcome or not wanted:
        return
    outputs = attempts[-1].outputs if outcome == "succeeded" else None
    produced = msgspec.json.decode(outputs) if outputs else None
    yield Undo(planned=planned, outcome=outcome, outputs=produced, end=end)


def outcome_of(attempts: Sequence[StepRecord]) -> str:
    """`succeeded`, `interrupted` (an attempt's effect is unknown), `failed`, or empty."""
    statuses = {each.status for each in attempts}
    if StepStatus.SUCCEEDED in statuses:
        return "succeeded"
    if statuses & {*_INTERRUPTED, StepStatus.STARTED}:
        return "interrupted"
    return "failed" if StepStatus.FAILED in statuses else ""
