"""One live run in this process: its latest record, its plan, and the way to turn it back."""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from stratum_graph.model import Plan
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga import abandonment
from stratum_orchestrator.saga.halt import Halt
from stratum_orchestrator.saga.instruction import Instruction, is_to_be_abandoned
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_orchestrator.saga.trouble import Trouble
from stratum_state.model import RunStatus, StepRecord, Trail
from stratum_state.tracker import StateTracker

_GOING_FORWARD = (RunStatus.ACCEPTED, RunStatus.RUNNING, RunStatus.SUSPENDED)


class Journey:
    """Serializes the moves of one run, so that its end and its cancellation cannot both win."""

    def __init__(
        self,
        trail: Trail,
        plan: Plan,
        tracker: StateTracker,
        clock: Clock,
        sequel: Sequel = unheard,
    ) -> None:
        """`trail` is what is on record so far: just accepted, or found by recovery."""
        self.run = trail.run
        self.plan = plan
        self.begun = anyio.current_time()
        """When this process took the run up, in seconds of the event loop's clock."""
        self.halt = Halt()
        self.life = anyio.CancelScope()
        """Everything that is done for the run; closed when it is abandoned."""
        self.steps_before: Sequence[StepRecord] = trail.steps
        self._tracker = tracker
        self._clock = clock
        self._sequel = sequel
        self._moving = anyio.Lock()

    @property
    def goes_forward(self) -> bool:
        return self.run.status in _GOING_FORWARD and not self.is_given_up

    @property
    def is_given_up(self) -> bool:
        """Whether an operator abandoned it, and that is not recorded yet."""
        return is_to_be_abandoned(self.run)

    async def move(self, status: RunStatus, **facts: object) -> None:
        """Record the move; IllegalMove when the run cannot go there from where it is."""
        async with self._moving:
            await self._record(status, **facts)

    async def settle(
        self, lose: Callable[[Sequence[StepRecord]], Awaitable[Sequence[StepRecord]]]
    ) -> None:
        """Record the loss of every attempt that was under way when the process before ended.

        All at once and before anything begins: behind a decision to turn back, a loss then
        always means that another process has taken the run up.
        """
        async with self._moving:
            loose = [each for each in self.steps_before if not each.is_over]
            if loose and self.goes_forward:
                over = [each for each in self.steps_before if each.is_over]
                self.steps_before = (*over, *await lose(loose))

    async def turn_back(self, cause: str, told: Instruction | None = None) -> bool:
        """Record that the run is to be undone, then stop what is going forward.

        False when it had ended, or had turned back, before: nothing is recorded then.
        """
        facts: dict[str, object] = {"instruction": told.text()} if told else {}
        async with self._moving:
            if not self.goes_forward:
                return False
            await self._record(RunStatus.COMPENSATING, cause=cause, **facts)
            self.halt.because(cause)
            return True

    async def note(self, trouble: Trouble) -> None:
        """Record what trouble the run is in, unless it has ended."""
        async with self._moving:
            noted = self.run.noted(trouble.text())
            if not self.run.is_over and noted != self.run:
                await self._tracker.record(noted)
                self.run = noted

    async def complete(self) -> bool:
        """Record that every stage is done; False when the run was turned back before."""
        async with self._moving:
            if not self.goes_forward:
                return False
            await self._record(RunStatus.COMPLETED, ended=self._clock.now_ms())
            return True

    async def give_up(self, told: Instruction) -> bool:
        """Record that the run is to be abandoned, then stop everything that is done for it.

        False when it had ended before. `abandon` follows, here or after a crash.
        """
        async with self._moving:
            if self.run.is_over or self.is_given_up:
                return False
            remark = self.run.told(told.text())
            await self._tracker.record(remark)
            self.run = remark
            self.halt.because(told.cause)
            self.life.cancel()
            return True

    async def abandon(self) -> None:
        """Record the end of a run that was given up, when nothing of it runs any more."""
        trail = await self._tracker.find(self.run.id)
        if trail is not None and is_to_be_abandoned(trail.run):
            now = self._clock.now_ms()
            await self._tracker.record(*abandonment.ending(trail, now, self._sequel))

    async def _record(self, status: RunStatus, **facts: object) -> None:
        moved = self._sequel(self.run.to(status, **facts))
        await self._tracker.record(moved)
        self.run = moved
