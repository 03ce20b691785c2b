"""The saga: forward through the stages, or back through everything that happened."""

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import anyio
import msgspec

from stratum_graph.model import Plan, PlannedNode
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.compensation import Compensator, judged
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_orchestrator.saga.stage import StageOutcome, cause_of, run_stage
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


class Reached(Enum):
    """How far a run went forward, when nothing turned it back."""

    END = "end"
    QUESTION = "question"
    """It is suspended, or was, if somebody has answered since."""


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
        the time for which no process was there is not the run's, nor is that for which it is
        suspended: it is taken up anew behind that.
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
        if not self._tracker.knows(trail.run.id):  # it waited for people for long
            self._tracker.adopt([trail])
        return Journey(trail, plan, self._tracker, self._clock, self.sequel)

    async def carry(self, journey: Journey) -> None:
        """Return when the run is over, or suspended.

        Every way that ends badly goes through one door.
        """
        if journey.run.status is RunStatus.ACCEPTED:
            await journey.move(RunStatus.RUNNING, started=self._clock.now_ms())
        await journey.settle(self._steps.lose)
        while journey.goes_forward:
            reached = await self._forward(journey)
            if reached is Reached.QUESTION:
                if await journey.leave():  # nothing is awaited before it is in recess
                    log.info("run suspended", extra=_place(journey))
                    return
            elif reached is Reached.END:
                await journey.complete()
            else:
                await journey.turn_back(reached)
        if journey.run.status is RunStatus.COMPENSATING:
            await self._back(journey)
        log.info("run ended", extra=_summary(journey))

    async def _forward(self, journey: Journey) -> Reached | str:
        """How far the run went, or why it has to turn back."""
        reached: Reached | str = ""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_limit, journey)
            with journey.halt.begin():
                reached = await self._stages(journey)
            tasks.cancel_scope.cancel()
        is_cause = isinstance(reached, str) and reached
        return reached if is_cause else journey.halt.cause or reached

    async def _stages(self, journey: Journey) -> Reached | str:
        context = RunContext(
            run=journey.run, data=msgspec.json.decode(journey.run.data), values={}
        )
        for number, indexes in enumerate(journey.plan.stages):
            log.debug("stage begins", extra={"run": journey.run.id, "stage": number})
            nodes = [journey.plan.nodes[index] for index in indexes]
            if (why := self._lapsed(journey.run)) is not None:
                return why
            self._passed("stage.begun")
            outcome = await self._stage(nodes, context, journey)
            if outcome.failed is not None:
                return cause_of(outcome.failed)
            if outcome.waiting:
                return Reached.QUESTION
            self._passed("stage.done")
            for step in outcome.good:
                if step.status is StepStatus.SUCCEEDED:
                    context = context.plus(outputs_of(step))
        return Reached.END

    async def _stage(
        self, nodes: Sequence[PlannedNode], context: RunContext, journey: Journey
    ) -> StageOutcome:
        """What came of a stage; it is left waiting only when that is on record."""
        while True:
            outcome = await run_stage(nodes, context, self._steps, journey, self._clock)
            journey.have_done(outcome.good)
            if outcome.failed is not None or not outcome.waiting:
                return outcome
            if await journey.suspend(outcome.waiting):
                return outcome

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


def outputs_of(step: StepRecord) -> Mapping[str, object]:
    """The values that a successful step produced, by capability."""
    found: Mapping[str, object] = msgspec.json.decode(step.outputs or "{}")
    return found


def _place(journey: Journey) -> Mapping[str, object]:
    return {"run": journey.run.id, "pipeline": journey.run.pipeline}


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
