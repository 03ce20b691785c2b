"""Questions that nobody answers in time are closed, whichever process asked them."""

import logging
from dataclasses import dataclass

import anyio

from stratum_orchestrator.errors import NoRoom
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.custody import Custody
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.recovery import obstacle
from stratum_orchestrator.saga.trouble import unrecovered
from stratum_state.errors import NotOurs, Unavailable
from stratum_state.tracker import StateTracker

_TICK_S = 1.0  # clocks on the wall may be set: nobody sleeps until a time of day
_PATIENCE_S = 5.0  # runs go on one by one, as others end

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Looks again and again. A time that is up is compared with our clock on the wall."""

    tracker: StateTracker
    live: LiveRuns
    clock: Clock
    custody: Custody
    turn: anyio.Lock
    """Whose turn it is to write to runs that nobody carries."""

    async def watch(self) -> None:
        """Until cancelled; what cannot be done now, or not by us, is looked at again later."""
        while True:
            try:
                await self.look()
            except (Unavailable, NotOurs, NoRoom) as why:
                log.debug("questions not closed yet", extra={"why": str(why)})
            await anyio.sleep(_TICK_S)

    async def look(self) -> None:
        """Close what is late by now. Runs that go on then wait until there is room for them."""
        await self.live.lapse_under_way()
        while (run := self.live.recess.late(self.clock.now_ms())) is not None:
            async with self.live.entrance.room_for(1, within_s=_PATIENCE_S), self.turn:
                await self._close(run)

    async def _close(self, run_id: str) -> None:
        try:
            async with self.custody.holding(run_id, adopt=False) as is_ours:
                trail = await self.tracker.find(run_id) if is_ours else None
                if trail is None:
                    self.live.recess.leave(run_id)
                elif why := obstacle(trail.run, self.live):
                    self.live.recess.leave(run_id)
                    self.live.set_aside(run_id)
                    await self.tracker.record(trail.run.noted(unrecovered(why).text()))
                else:
                    await self.live.lapse(trail)
        except NotOurs:  # it was taken over meanwhile
            self.live.recess.leave(run_id)
