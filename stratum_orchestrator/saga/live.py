"""The runs under way in this process: started, turned back on request, never forgotten."""

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from stratum_graph.model import Plan
from stratum_orchestrator.logs import about
from stratum_orchestrator.saga.anteroom import Anteroom
from stratum_orchestrator.saga.entrance import Entrance
from stratum_orchestrator.saga.errand import Errand
from stratum_orchestrator.saga.instruction import Instruction, is_to_be_abandoned
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.recess import Recess
from stratum_orchestrator.saga.sequel import Sequel
from stratum_orchestrator.saga.standings import Standings
from stratum_orchestrator.saga.trouble import Trouble
from stratum_orchestrator.trace import of_run
from stratum_state.errors import StateError
from stratum_state.model import PipelineRun, RunStatus, Trail

T = TypeVar("T")
Carry = Callable[[Journey], Coroutine[object, object, None]]

log = logging.getLogger(__name__)


class Room(Protocol):
    """Is told how many more runs may begin: backpressure reaches the broker through it."""

    def set(self, limit: int) -> None: ...


class LiveRuns:
    """Carries runs side by side; `room` shrinks with each of them."""

    def __init__(  # noqa: PLR0913, PLR0917 - its parts, and who it asks
        self,
        pipeline: Pipeline,
        plans: Plans,
        tasks: TaskGroup,
        room: Room,
        capacity: int,
        standings: Standings,
    ) -> None:
        self._pipeline = pipeline
        self._plans = plans
        self._tasks = tasks
        self._room = room
        self._capacity = capacity
        self.hurried = False
        self._journeys: dict[str, Journey] = {}
        self._queued: set[str] = set()
        """Those of them that waited for people, and now wait for room."""
        self.entrance = Entrance(capacity, lambda: len(self) - len(self._queued))
        self._aside: set[str] = set()
        self.standings = standings
        self.anteroom = Anteroom()
        self.recess = Recess()

    def __len__(self) -> int:
        return len(self._journeys)

    def is_aside(self, run_id: str) -> bool:
        """Whether the run is not over, ours, and carried by nobody."""
        is_known = any(run_id in each for each in (self._aside, self.anteroom, self.recess))
        return is_known and run_id not in self._journeys

    @property
    def under_way(self) -> Mapping[str, float]:
        """The runs that are carried, and for how many seconds."""
        now = anyio.current_time()
        return {run: now - journey.begun for run, journey in self._journeys.items()}

    @property
    def sequel(self) -> Sequel:
        """What is to be published of the runs that end."""
        return self._pipeline.sequel

    def set_aside(self, run_id: str) -> None:
        """Remember a run that cannot be carried, until somebody decides about it."""
        self._aside.add(run_id)

    async def note(self, run_id: str, trouble: Trouble) -> None:
        """Record what trouble a run is in that is carried here."""
        if (journey := self._journeys.get(run_id)) is not None:
            await journey.note(trouble)

    def forget(self, run_id: str) -> None:
        """Somebody has decided about the run."""
        self._aside.discard(run_id)
        self.anteroom.leave(run_id)
        self.recess.leave(run_id)

    def keep(self, plan: Plan) -> None:
        """Make the plan durable, before the run that needs it is on record."""
        self._plans.keep(plan)

    def plan_of(self, run: PipelineRun) -> Plan:
        """The plan that the run began with; raises what the plans raise."""
        return self._plans.of(run)

    def resume(self, trail: Trail) -> None:
        """Start a run that recovery found; raises what the plans raise.

        One that was given up needs no plan: only its end is recorded.
        """
        if is_to_be_abandoned(trail.run):
            self._begin(trail, Plan(pipeline=trail.run.pipeline, nodes=(), stages=()))
        else:
            self.start(trail, self.plan_of(trail.run))

    def start(self, trail: Trail, plan: Plan) -> None:
        """Carry the run from where its trail ends; at once, and only once in this process.

        One that has not begun waits for as long as its pipeline is held back, one that is
        suspended until people have answered.
        """
        run = trail.run
        if run.status is RunStatus.ACCEPTED and self.standings.holds(run.pipeline):
            self.anteroom.seat(run.id, run.pipeline)
        elif run.status is RunStatus.SUSPENDED and run.id not in self._journeys:
            self.recess.seat(run.id, min(each.deadline for each in trail.open_checkpoints))
        elif run.id not in self._journeys:
            self._begin(trail, plan)

    def _begin(self, trail: Trail, plan: Plan) -> None:
        self._enter(self._pipeline.depart(trail, plan), self._carry)

    def _onward(self, journey: Journey) -> None:
        """Let the run go on if somebody has answered, else wait for that."""
        if journey.is_suspended:
            self.recess.seat(journey.run.id, journey.inquiry.deadline or 0)
        else:
            self.recess.leave(journey.run.id)
            self._queued.add(journey.run.id)
            self._enter(journey, self._carry_in_turn)

    def _enter(self, journey: Journey, carry: Carry) -> None:
        self._journeys[journey.run.id] = journey
        self._room.set(self._capacity - len(self))
        self._tasks.start_soon(carry, journey)

    def hurry(self) -> None:
        """At the end of the daemon, do not wait any longer for runs to end."""
        self.hurried = True

    async def cancel(self, run_id: str, cause: str, told: Instruction | None = None) -> bool:
        """Turn the run back; False when it is not going forward here. Durable on return."""
        journey = self._journeys.get(run_id)
        return journey is not None and await journey.turn_back(cause, told)

    async def dismiss(self, trail: Trail, cause: str, told: Instruction) -> None:
        """Turn back a run that waits: to begin, or for people."""
        journey = self._pipeline.depart(trail, self.plan_of(trail.run))
        await journey.turn_back(cause, told)
        self.anteroom.leave(trail.run.id)
        self._onward(journey)

    async def answer(self, run_id: str, told: Instruction) -> str | None:
        """Record what somebody answered about a run; None when it is not carried here.

        Impossible when nothing follows from it.
        """
        journey = self._journeys.get(run_id)
        return None if journey is None else await journey.answer(told)

    async def recall(self, trail: Trail, told: Instruction) -> str | None:
        """Likewise, about a run that is suspended here. Raises what the plans raise."""
        journey = self._pipeline.depart(trail, self.plan_of(trail.run))
        said = await journey.answer(told)
        self._onward(journey)
        return said

    async def lapse(self, trail: Trail) -> None:
        """Close the questions of a suspended run that nobody has answered in time."""
        journey = self._pipeline.depart(trail, self.plan_of(trail.run))
        if await journey.lapse() or journey.is_suspended:
            self._onward(journey)
        else:
            self.recess.leave(trail.run.id)

    async def lapse_under_way(self) -> None:
        """Likewise, of all that are carried here."""
        for journey in tuple(self._journeys.values()):
            await journey.lapse()

    async def heard(self, run_id: str, node: str, sequence: int) -> bool:
        """Record that a question is published; False when the run is not carried here."""
        journey = self._journeys.get(run_id)
        return journey is not None and await journey.heard(node, sequence)

    async def abandon(self, run_id: str, told: Instruction) -> bool:
        """Stop the run and undo nothing; False when it is not carried here.

        What an operator wants is durable on return. The run is over when its processes are.
        """
        journey = self._journeys.get(run_id)
        return journey is not None and await journey.give_up(told)

    async def apart(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do it among the runs: it is not cancelled with whoever asks for it."""
        return await Errand(do).run(self._tasks)

    async def _carry_in_turn(self, journey: Journey) -> None:
        """Carry the run when there is room: many may be answered in a moment."""
        async with self.entrance.room_for(1, within_s=math.inf):
            self._queued.discard(journey.run.id)
        await self._carry(journey)

    async def _carry(self, journey: Journey) -> None:
        run = journey.run
        with about(run=run.id, trace_id=of_run(run.id, run.trace).trace):
            await self._see_through(journey)

    async def _see_through(self, journey: Journey) -> None:
        try:
            if not journey.is_given_up:
                with journey.life:
                    await self._travel(journey)
            if journey.is_given_up:
                await journey.abandon()
                self.forget(journey.run.id)
                log.warning("run abandoned", extra=_place(journey))
        finally:
            del self._journeys[journey.run.id]
            if journey.has_left:
                self._onward(journey)
            self.entrance.look_again()
            self._room.set(self._capacity - len(self))

    async def _travel(self, journey: Journey) -> None:
        fault = await self._attempt(journey)
        if fault is not None:
            await journey.turn_back("a fault inside the daemon; its log says more")
            if journey.run.status is RunStatus.COMPENSATING:
                fault = await self._attempt(journey)
        if fault is None:
            self._aside.discard(journey.run.id)
        else:
            self._aside.add(journey.run.id)
            await journey.note(Trouble("stuck", str(fault.exceptions[0])))

    async def _attempt(self, journey: Journey) -> BaseExceptionGroup[Exception] | None:
        """The fault of ours that got in the way; a store that is away ends the daemon."""
        fault: BaseExceptionGroup[Exception] | None = None
        try:
            await self._pipeline.carry(journey)
        except* StateError:
            raise
        except* Exception as group:  # noqa: BLE001 - one run's fault must not stop the others
            fault = group
        if fault is not None:
            log.error("run met a fault", extra=_place(journey), exc_info=fault)
        return fault


@asynccontextmanager
async def live_runs(  # noqa: PLR0913 - its parts, and how it ends
    pipeline: Pipeline,
    plans: Plans,
    room: Room,
    *,
    capacity: int,
    grace_s: float,
    standings: Standings | None = None,
) -> AsyncIterator[LiveRuns]:
    """On leaving, runs get `grace_s` seconds to end; the rest stays on record to be resumed."""
    async with anyio.create_task_group() as tasks:
        live = LiveRuns(pipeline, plans, tasks, room, capacity, standings or Standings())
        try:
            yield live
        finally:
            with anyio.move_on_after(grace_s, shield=True):
                while len(live) and not live.hurried:  # noqa: ASYNC110 - at the end of the process, for seconds
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()


def _place(journey: Journey) -> Mapping[str, object]:
    return {"run": journey.run.id, "pipeline": journey.run.pipeline}
