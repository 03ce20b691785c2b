"""One live run in this process: its latest record, its plan, and the way to turn it back."""

from collections.abc import Sequence

import anyio

from stratum_graph.model import Plan
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.halt import Halt
from stratum_state.model import CompensationRecord, RunStatus, StepRecord, Trail
from stratum_state.tracker import StateTracker

_GOING_FORWARD = (RunStatus.ACCEPTED, RunStatus.RUNNING, RunStatus.SUSPENDED)


class Journey:
    """Serializes the moves of one run, so that its end and its cancellation cannot both win."""

    def __init__(self, trail: Trail, plan: Plan, tracker: StateTracker, clock: Clock) -> None:
        """`trail` is what is on record so far: just accepted, or found by recovery."""
        self.run = trail.run
        self.plan = plan
        self.halt = Halt()
        self.steps_before: Sequence[StepRecord] = trail.steps
        self.compensations_before: Sequence[CompensationRecord] = trail.compensations
        self._tracker = tracker
        self._clock = clock
        self._moving = anyio.Lock()

    @property
    def goes_forward(self) -> bool:
        return self.run.status in _GOING_FORWARD

    async def move(self, status: RunStatus, **facts: object) -> None:
        """Record the move; IllegalMove when the run cannot go there from where it is."""
        async with self._moving:
            await self._record(status, **facts)

    async def turn_back(self, cause: str) -> bool:
        """Record that the run is to be undone, then stop what is going forward.

        False when it had ended, or had turned back, before: nothing is recorded then.
        """
        async with self._moving:
            if not self.goes_forward:
                return False
            await self._record(RunStatus.COMPENSATING, cause=cause)
            self.halt.because(cause)
            return True

    async def complete(self) -> bool:
        """Record that every stage is done; False when the run was turned back before."""
        async with self._moving:
            if not self.goes_forward:
                return False
            await self._record(RunStatus.COMPLETED, ended=self._clock.now_ms())
            return True

    async def _record(self, status: RunStatus, **facts: object) -> None:
        moved = self.run.to(status, **facts)
        await self._tracker.record(moved)
        self.run = moved
