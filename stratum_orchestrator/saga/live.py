"""The runs under way in this process: started, turned back on request, never forgotten."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from stratum_graph.model import Plan
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_state.errors import StateError
from stratum_state.model import RunStatus, Trail

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A run that this program could not carry to its end, because of a fault of its own."""

    run: str
    why: str


class Room(Protocol):
    """Is told how many more runs may begin: backpressure reaches the broker through it."""

    def set(self, limit: int) -> None: ...


class LiveRuns:
    """Carries runs side by side; `room` shrinks with each of them."""

    def __init__(
        self, pipeline: Pipeline, plans: Plans, tasks: TaskGroup, room: Room, capacity: int
    ) -> None:
        self._pipeline = pipeline
        self._plans = plans
        self._tasks = tasks
        self._room = room
        self._capacity = capacity
        self.hurried = False
        self._journeys: dict[str, Journey] = {}
        self._stuck: dict[str, Stuck] = {}

    def __len__(self) -> int:
        return len(self._journeys)

    @property
    def stuck(self) -> tuple[Stuck, ...]:
        return tuple(self._stuck.values())

    def keep(self, plan: Plan) -> None:
        """Make the plan durable, before the run that needs it is on record."""
        self._plans.keep(plan)

    def resume(self, trail: Trail) -> None:
        """Start a run that recovery found; raises what the plans raise."""
        self.start(trail, self._plans.of(trail.run))

    def start(self, trail: Trail, plan: Plan) -> None:
        """Carry the run from where its trail ends; at once, and only once in this process."""
        if trail.run.id in self._journeys:
            return
        journey = self._pipeline.depart(trail, plan)
        self._journeys[trail.run.id] = journey
        self._room.set(self._capacity - len(self))
        self._tasks.start_soon(self._carry, journey)

    def hurry(self) -> None:
        """At the end of the daemon, do not wait any longer for runs to end."""
        self.hurried = True

    async def cancel(self, run_id: str, cause: str) -> bool:
        """Turn the run back; False when it is not going forward here. Durable on return."""
        journey = self._journeys.get(run_id)
        return journey is not None and await journey.turn_back(cause)

    async def _carry(self, journey: Journey) -> None:
        try:
            if not await self._attempt(journey):
                await journey.turn_back("a fault inside the daemon; its log says more")
                if journey.run.status is RunStatus.COMPENSATING and not journey.run.is_over:
                    await self._attempt(journey)
        finally:
            del self._journeys[journey.run.id]
            self._room.set(self._capacity - len(self))

    async def _attempt(self, journey: Journey) -> bool:
        """False when a fault of ours got in the way; a store that is away ends the daemon."""
        fault: BaseExceptionGroup[Exception] | None = None
        try:
            await self._pipeline.carry(journey)
        except* StateError:
            raise
        except* Exception as group:  # noqa: BLE001 - one run's fault must not stop the others
            fault = group
        if fault is not None:
            log.error("run met a fault", extra=_place(journey), exc_info=fault)
            self._stuck[journey.run.id] = Stuck(journey.run.id, str(fault.exceptions[0]))
            return False
        self._stuck.pop(journey.run.id, None)
        return True


@asynccontextmanager
async def live_runs(
    pipeline: Pipeline, plans: Plans, room: Room, *, capacity: int, grace_s: float
) -> AsyncIterator[LiveRuns]:
    """On leaving, runs get `grace_s` seconds to end; the rest stays on record to be resumed."""
    async with anyio.create_task_group() as tasks:
        live = LiveRuns(pipeline, plans, tasks, room, capacity)
        try:
            yield live
        finally:
            with anyio.move_on_after(grace_s, shield=True):
                while len(live) and not live.hurried:  # noqa: ASYNC110 - at the end of the process, for seconds
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()


def _place(journey: Journey) -> Mapping[str, object]:
    return {"run": journey.run.id, "pipeline": journey.run.pipeline}
