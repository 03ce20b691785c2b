"""The saga: forward through the stages, or back through everything that happened."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import anyio
import msgspec

from stratum_graph.model import Plan
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.compensation import Compensator, judged
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_orchestrator.saga.stage import Attempts, cause_of, run_stage
from stratum_orchestrator.saga.step import StepRunner
from stratum_state.model import (
    CompensationRecord,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
)
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

Lapsed = Callable[[PipelineRun], str | None]
"""Why a run has lost the right by which it began; None when it has not."""


def _never(run: PipelineRun) -> None:
    del run


class Pipeline:
    """Carries a run to its end: completed, or compensated. Where it begins does not matter."""

    def __init__(  # noqa: PLR0913 - its parts, and what it says as it goes
        self,
        steps: StepRunner,
        compensator: Compensator,
        tracker: StateTracker,
        clock: Clock,
        *,
        limit_s: float,
        passed: Passed = UNARMED.passed,
        lapsed: Lapsed = _never,
        sequel: Sequel = unheard,
    ) -> None:
        """`lapsed` is asked before each stage.

        `limit_s` is how long a run may go forward in one process, in seconds.

        It counts from when the process took the run up: clocks on the wall may be set, and
        the time for which no process was there is not the run's.
        """
        self._steps = steps
        self._compensator = compensator
        self._tracker = tracker
        self._clock = clock
        self._limit_s = limit_s
        self._passed = passed
        self._lapsed = lapsed
        self.sequel = sequel

    def depart(self, trail: Trail, plan: Plan) -> Journey:
        """Make a run that is on record one that this process carries."""
        return Journey(trail, plan, self._tracker, self._clock, self.sequel)

    async def carry(self, journey: Journey) -> None:
        """Return when the run is over; every way that ends badly goes through one door."""
        if journey.run.status is RunStatus.ACCEPTED:
            await journey.move(RunStatus.RUNNING, started=self._clock.now_ms())
        await journey.settle(self._steps.lose)
        if journey.goes_forward:
            cause = await self._forward(journey)
            if cause is None:
                await journey.complete()
            else:
                await journey.turn_back(cause)
        if journey.run.status is RunStatus.COMPENSATING:
            await self._back(journey)
        log.info("run ended", extra=_summary(journey))

    async def _forward(self, journey: Journey) -> str | None:
        """Why the run has to turn back, or None when every stage is done."""
        cause: str | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_limit, journey)
            with journey.halt.scope:
                cause = await self._stages(journey)
            tasks.cancel_scope.cancel()
        return cause or journey.halt.cause

    async def _stages(self, journey: Journey) -> str | None:
        context = RunContext(
            run=journey.run, data=msgspec.json.decode(journey.run.data), values={}
        )
        before = by_node(journey.steps_before)
        for number, indexes in enumerate(journey.plan.stages):
            log.debug("stage begins", extra={"run": journey.run.id, "stage": number})
            nodes = [journey.plan.nodes[index] for index in indexes]
            if (why := self._lapsed(journey.run)) is not None:
                return why
            self._passed("stage.begun")
            outcome = await run_stage(nodes, context, self._steps, journey.halt, before)
            if outcome.failed is not None:
                return cause_of(outcome.failed)
            self._passed("stage.done")
            for step in outcome.good:
                if step.status is StepStatus.SUCCEEDED:
                    context = context.plus(outputs_of(step))
        return None

    async def _back(self, journey: Journey) -> None:
        steps, before = await self._ended(journey.run.id)
        context = RunContext(
            run=journey.run,
            data=msgspec.json.decode(journey.run.data),
            values={
                name: value
                for step in steps
                if step.status is StepStatus.SUCCEEDED
                for name, value in outputs_of(step).items()
            },
        )
        self._passed("way-back.begun")
        ends = await self._compensator.undo_all(journey.plan, context, steps, before)
        now = self._clock.now_ms()
        await journey.move(RunStatus.COMPENSATED, **judged(ends), ended=now)

    async def _ended(
        self, run: str
    ) -> tuple[Sequence[StepRecord], Sequence[CompensationRecord]]:
        """What is on record; steps cut off before their end was recorded are lost now."""
        trail = await self._tracker.find(run)
        loose = [step for step in trail.steps if not step.is_over] if trail else []
        if loose:
            await self._steps.lose(loose, "its end was never seen")
            trail = await self._tracker.find(run)
        return (trail.steps, trail.compensations) if trail else ((), ())

    async def _watch_limit(self, journey: Journey) -> None:
        await anyio.sleep(self._limit_s)
        await journey.turn_back(f"the run did not end within {self._limit_s:g} s")


def by_node(steps: Iterable[StepRecord]) -> Attempts:
    """Attempts in order, by node."""
    ordered = sorted(steps, key=lambda step: (step.node, step.attempt))
    return {name: list(group) for name, group in groupby(ordered, key=lambda step: step.node)}


def outputs_of(step: StepRecord) -> Mapping[str, object]:
    """The values that a successful step produced, by capability."""
    found: Mapping[str, object] = msgspec.json.decode(step.outputs or "{}")
    return found


def _summary(journey: Journey) -> Mapping[str, object]:
    run = journey.run
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "status": str(run.status),
        "compensation": run.compensation and str(run.compensation),
        "cause": run.cause,
        "took_ms": (run.ended or run.accepted) - run.accepted,
    }
