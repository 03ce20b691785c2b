"""One live run in this process: its latest record, its plan, and the way to turn it back."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio

from stratum_graph.model import Plan
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga import abandonment
from stratum_orchestrator.saga.halt import Halt
from stratum_orchestrator.saga.inquiry import Inquiry, cause_of
from stratum_orchestrator.saga.instruction import Instruction, is_to_be_abandoned
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_orchestrator.saga.trouble import Trouble
from stratum_state.checkpoint import Checkpoint
from stratum_state.model import OfRun, PipelineRun, RunStatus, StepRecord, Trail
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
        self.inquiry = Inquiry(trail)
        """What people are asked, and have answered."""
        self.has_left = False
        """Whether it waits for people, and is carried no further by this object."""
        self._tracker = tracker
        self._clock = clock
        self._sequel = sequel
        self._moving = anyio.Lock()

    @property
    def goes_forward(self) -> bool:
        is_ahead = self.run.status in _GOING_FORWARD
        return is_ahead and not self.is_given_up and not self.has_left

    @property
    def is_suspended(self) -> bool:
        """Whether nothing of it runs, and it waits for people."""
        return self.run.status is RunStatus.SUSPENDED and not self.is_given_up

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

    def have_done(self, steps: Iterable[StepRecord]) -> None:
        """Take note of how steps have ended in this process: they are not run again."""
        known = {(each.node, each.attempt) for each in self.steps_before}
        new = [each for each in steps if (each.node, each.attempt) not in known]
        self.steps_before = (*self.steps_before, *new)

    async def ask(self, questions: Sequence[Checkpoint]) -> None:
        """Put on record what is not asked yet, unless the run has turned back."""
        async with self._moving:
            new = [
                self._sequel.ask(each, self.run.pipeline)
                for each in questions
                if self.inquiry.of(each.node) is None
            ]
            if new and self.goes_forward:
                await self._keep(new)

    async def suspend(self, waiting: Iterable[str]) -> bool:
        """Record that nothing of the run goes on before somebody answers about these nodes.

        False when somebody has, or the run has turned back.
        """
        async with self._moving:
            if self.run.status is not RunStatus.RUNNING or self.is_given_up:
                return False
            if not all(self.inquiry.is_open(each) for each in waiting):
                return False
            await self._record(RunStatus.SUSPENDED)
            return True

    async def leave(self) -> bool:
        """Be carried no further, if the run is suspended still; False when it is not.

        Whoever comes later begins with what is on record.
        """
        async with self._moving:
            self.has_left = self.is_suspended
            return self.has_left

    async def answer(self, told: Instruction) -> str | None:
        """Record what somebody answered, with what follows for the run; in a few words.

        None when it has left. Impossible when nothing follows: it is too late, or about
        something else.
        """
        async with self._moving:
            if self.has_left:
                return None
            if not self.goes_forward:
                state = "given up" if self.is_given_up else self.run.status
                why = f"it is {state}, so nothing follows from an answer any more"
                raise Impossible("run-over", why, f"stratum run show {self.run.id}")
            await self._follow(self.inquiry.ruled(told, self._clock.now_ms()))
            return self.inquiry.said(told.node or "")

    async def lapse(self) -> bool:
        """Record which questions nobody has answered in time, with what follows for the run."""
        async with self._moving:
            late = self.inquiry.lapsed(self._clock.now_ms())
            if late and self.goes_forward:
                await self._follow(late)
            return bool(late)

    async def heard(self, node: str, sequence: int) -> bool:
        """Record that the question about the node is published; False when it has left."""
        async with self._moving:
            question = self.inquiry.of(node)
            if question is not None and question.is_due and not self.has_left:
                await self._keep([question.heard_of(sequence)])
            return not self.has_left

    async def note(self, trouble: Trouble) -> None:
        """Record what trouble the run is in, unless it has ended."""
        async with self._moving:
            noted = self.run.noted(trouble.text())
            if not self.run.is_over and not self.has_left and noted != self.run:
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
            if self.run.is_over or self.is_given_up or self.has_left:
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
        await self._move((), self._sequel(self.run.to(status, **facts)))

    async def _follow(self, facts: Sequence[OfRun]) -> None:
        """Record answers and closed questions, and where the run goes behind them."""
        cause, closed = cause_of(facts), any(isinstance(each, Checkpoint) for each in facts)
        if cause is not None:
            await self._move(facts, self.run.to(RunStatus.COMPENSATING, cause=cause))
            self.halt.because(cause)
        elif closed and self.run.status is RunStatus.SUSPENDED:
            await self._move(facts, self.run.to(RunStatus.RUNNING))
        else:
            await self._keep(facts)

    async def _move(self, facts: Sequence[OfRun], moved: PipelineRun) -> None:
        """Record facts, and the run's move behind them: what it asks ends with its way on."""
        if moved.status not in _GOING_FORWARD:
            now, why = self._clock.now_ms(), moved.cause or f"the run is {moved.status}"
            facts = [*facts, *self.inquiry.withdrawn(facts, now, why)]
        await self._tracker.record(*facts, moved)
        self.run = moved
        self.inquiry.take(facts)

    async def _keep(self, facts: Sequence[OfRun]) -> None:
        await self._tracker.record(*facts)
        self.inquiry.take(facts)
