"""One node of one run: its attempts, each on record before it starts and when it has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from stratum_graph.condition import holds
from stratum_graph.model import ActionNode, PlannedNode
from stratum_graph.schemas import compile_schema
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.errors import BadReference
from stratum_orchestrator.logs import about
from stratum_orchestrator.ports import Clock, Ended, Failure, Kind, Resources, Rng, Runner
from stratum_orchestrator.saga import command
from stratum_orchestrator.saga.backoff import pause_s
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.halt import Halt
from stratum_orchestrator.saga.lending import Lender, Loan
from stratum_state import canonical
from stratum_state.model import StepRecord, StepStatus
from stratum_state.tracker import StateTracker

RETRY_CODE = 75
"""The exit code by which a script itself asks for another attempt (EX_TEMPFAIL)."""
_DIED = "the daemon ended while it ran"
LOST_ATTEMPTS = 3
"""A step that was running each time the daemon died is failed after so many attempts."""


class StepRunner:
    """Runs a node until it succeeds or nothing is left to try."""

    def __init__(  # noqa: PLR0913 - what it asks, and what it says as it goes
        self,
        runner: Runner,
        tracker: StateTracker,
        clock: Clock,
        rng: Rng,
        passed: Passed = UNARMED.passed,
        *,
        lender: Lender,
    ) -> None:
        self._lender = lender
        self._passed = passed
        self._runner = runner
        self._tracker = tracker
        self._clock = clock
        self._rng = rng

    async def run(
        self,
        planned: PlannedNode,
        context: RunContext,
        halt: Halt,
        before: Sequence[StepRecord] = (),
    ) -> StepRecord:
        """The node's last attempt, when it is over; `before` are attempts already on record.

        Those are over. A success among them is returned as it is.
        """
        attempts = list(before)
        if not attempts and (why := skips(planned.definition.node, context)):
            return await self._skip(planned, context, why)
        while not attempts or is_worth_another(planned.definition.node, attempts):
            if attempts and attempts[-1].status is not StepStatus.LOST:
                retry = planned.definition.node.retry
                await anyio.sleep(pause_s(retry, len(attempts), self._rng))
            await checkpoint_if_cancelled()  # a record is not interrupted, and may just be made
            number = len(attempts) + 1
            with about(node=planned.definition.node.name, attempt=number):
                attempts.append(await self._attempt(planned, context, halt, number))
        return attempts[-1]

    async def lose(self, steps: Sequence[StepRecord], why: str = _DIED) -> Sequence[StepRecord]:
        """Record together that nobody knows how these ended."""
        ended = self._clock.now_ms()
        lost = [
            step.to(StepStatus.LOST, ended=ended, error_class="lost", error=why)
            for step in steps
        ]
        await self._tracker.record(*lost)
        return lost

    async def _attempt(
        self, planned: PlannedNode, context: RunContext, halt: Halt, number: int
    ) -> StepRecord:
        node = planned.definition.node
        step = StepRecord(
            run=context.run.id,
            node=node.name,
            stage=planned.stage,
            attempt=number,
            started=self._clock.now_ms(),
        )
        loan = self._lender.lend(step.run, planned, number, Kind.DO)
        await self._tracker.record(step, *loan.facts)
        try:
            ended = await self._perform(planned, context, number, loan)
        except anyio.get_cancelled_exc_class():
            if halt.cause is not None:
                cancelled = self._over(step, StepStatus.CANCELLED, error=halt.cause)
                await loan.record_end(cancelled)
            else:
                await loan.record_end()
            raise
        over = self._conclude(step, node, ended)
        await loan.record_end(over)
        return over

    async def _perform(
        self, planned: PlannedNode, context: RunContext, number: int, loan: Loan
    ) -> Ended:
        node = planned.definition.node
        if problems := misfits(node.input_schemas, context.inputs(node)):
            return _never_ran("bad-input", f"what it consumes does not fit: {problems}")
        try:
            process = command.do(planned, context, number)
        except BadReference as bad:
            return _never_ran("bad-input", str(bad))
        ended = await loan.run(self._runner, process)
        if ended.outputs is None or ended.failure:
            return ended
        problems = _unpromised(node, ended.outputs) or misfits(
            node.output_schemas, ended.outputs
        )
        self._passed("output.validated")
        return _spoiled(ended, problems) if problems else ended

    def _conclude(self, step: StepRecord, node: ActionNode, ended: Ended) -> StepRecord:
        facts = outcome_facts(ended)
        if ended.failure is None and ended.outputs is not None:
            said = {name: ended.outputs[name] for name in node.produces}
            return self._over(step, StepStatus.SUCCEEDED, outputs=canonical.text(said), **facts)
        timed_out = ended.failure is not None and ended.failure.error_class == "timeout"
        status = StepStatus.TIMED_OUT if timed_out else StepStatus.FAILED
        return self._over(step, status, **facts)

    def _over(self, step: StepRecord, status: StepStatus, **facts: object) -> StepRecord:
        return step.to(status, ended=self._clock.now_ms(), **facts)

    async def _skip(self, planned: PlannedNode, context: RunContext, why: str) -> StepRecord:
        now = self._clock.now_ms()
        step = StepRecord(
            run=context.run.id,
            node=planned.definition.node.name,
            stage=planned.stage,
            attempt=1,
            status=StepStatus.SKIPPED,
            started=now,
            ended=now,
            error=why,
        )
        await self._tracker.record(step)
        return step


def is_worth_another(node: ActionNode, attempts: Sequence[StepRecord]) -> bool:
    """Whether the node's policy allows one more attempt after these."""
    last = attempts[-1]
    if last.status is StepStatus.LOST:
        allowed = "lost" in node.retry.on
        return allowed and len(attempts) < max(node.retry.attempts, LOST_ATTEMPTS)
    if last.status not in (StepStatus.FAILED, StepStatus.TIMED_OUT):
        return False
    asked = last.exit_code == RETRY_CODE and last.error_class == "exit"
    return len(attempts) < node.retry.attempts and (asked or last.error_class in node.retry.on)


def misfits(schemas: Mapping[str, Mapping[str, object]], values: Mapping[str, object]) -> str:
    """What of the values breaks its schema, as one sentence; empty when nothing does."""
    problems = [
        problem
        for name, schema in schemas.items()
        if name in values
        for problem in compile_schema(schema).problems(values[name], name=name)
    ]
    return "; ".join(problems)


def outcome_facts(ended: Ended) -> dict[str, object]:
    """What a record keeps of how a process ended."""
    return {
        "error_class": ended.failure.error_class if ended.failure else None,
        "error": ended.failure.message if ended.failure else None,
        "exit_code": ended.exit_code,
        "stderr": ended.stderr or None,
        "level": ended.level or None,
        "resources": ended.resources and canonical.text(_used(ended.resources)),
    }


def _used(resources: Resources) -> dict[str, object]:
    return {**asdict(resources), "max_rss": resources.max_rss or None}


def skips(node: ActionNode, context: RunContext) -> str:
    """Why the node does not run at all; empty when it does."""
    absent = sorted(set(node.consumes) - set(context.values))
    if absent:
        return f"`{absent[0]}` is absent, because the node that produces it was skipped"
    if node.when is not None and not holds(node.when, context.facts(node)):
        return "its `when` is false for this event"
    return ""


def _unpromised(node: ActionNode, said: Mapping[str, object]) -> str:
    missing = sorted(set(node.produces) - set(said))
    extra = sorted(set(said) - set(node.produces))
    problems = [f"`{name}` is missing" for name in missing]
    problems += [f"`{name}` is not declared in `produces`" for name in extra]
    return "; ".join(problems)


def _spoiled(ended: Ended, problems: str) -> Ended:
    failure = Failure(error_class="bad-output", message=f"its output does not fit: {problems}")
    return Ended(
        outputs=None,
        failure=failure,
        exit_code=ended.exit_code,
        stderr=ended.stderr,
        level=ended.level,
        resources=ended.resources,
    )


def _never_ran(error_class: str, message: str) -> Ended:
    return Ended(
        outputs=None,
        failure=Failure(error_class=error_class, message=message),  # type: ignore[arg-type]
    )
