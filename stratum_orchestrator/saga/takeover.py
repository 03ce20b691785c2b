"""Runs without a living owner are taken over; lanes that nobody needs are given back."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.recovery import resume_all
from stratum_state.errors import Unavailable
from stratum_state.model import Trail
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

_LOOKS = 4  # looks for silent owners within the time that one may be silent
_LONGEST_PAUSE_S = 1.0


class Ownership(Protocol):
    """Which lanes are whose. The store decides: of two takers, one wins."""

    async def expired(self) -> Sequence[str]:
        """Lanes whose owner is silent for too long, or left unfinished runs behind."""
        ...

    async def adopt(self, lane: str) -> Sequence[Trail]:
        """Take a lane, which fences its former owner; its unfinished runs, oldest first."""
        ...

    async def release_idle(self) -> Sequence[str]:
        """Give back adopted lanes whose runs are over; the runs that others may move now."""
        ...

    async def orphan(self, run_id: str) -> str | None:
        """The lane of the run, if it can be adopted."""
        ...

    async def holds(self, run_id: str) -> bool:
        """Whether the lane of the run is ours."""
        ...


def _untold(_runs: int) -> None:
    """Tell nobody."""


class Takeover:
    """Looks for orphaned runs again and again, and carries on what it finds."""

    def __init__(  # noqa: PLR0913 - its parts, and who is told
        self,
        ownership: Ownership,
        tracker: StateTracker,
        live: LiveRuns,
        silence_s: float,
        *,
        told: Callable[[int], None] = _untold,
        passed: Passed = UNARMED.passed,
    ) -> None:
        """`silence_s` is how long an owner may be silent, in seconds.

        `told` is given how many runs came with a lane, whenever one was adopted.
        """
        self._ownership = ownership
        self._tracker = tracker
        self._live = live
        self._pause_s = min(silence_s / _LOOKS, _LONGEST_PAUSE_S)
        self._told = told
        self._passed = passed
        self._turn = anyio.Lock()
        self.taken = 0
        """How many runs came from other owners."""

    async def watch(self) -> None:
        """Until cancelled; a store that is away is asked again later."""
        while True:
            try:
                await self.look()
            except Unavailable:
                log.debug("no look for orphaned runs: the store is away")
            await anyio.sleep(self._pause_s)

    async def look(self) -> None:
        """Adopt what has no living owner, once."""
        async with self._turn:
            for lane in await self._ownership.expired():
                await self._adopt(lane)
            for run in await self._ownership.release_idle():
                self._tracker.release(run)

    @asynccontextmanager
    async def holding(self, run_id: str, *, adopt: bool) -> AsyncIterator[bool]:
        """Whether the run is ours, and stays so within the block.

        With `adopt`, a run that nobody has becomes ours. Raises Unavailable.
        """
        async with self._turn:
            if adopt and (lane := await self._ownership.orphan(run_id)) is not None:
                await self._adopt(lane)
            yield await self._ownership.holds(run_id)

    async def _adopt(self, lane: str) -> None:
        self._passed("takeover.begun")
        trails = await self._ownership.adopt(lane)
        self._told(len(trails))
        if trails:
            log.warning("runs taken over", extra={"lane": lane, "runs": len(trails)})
            self.taken += len(trails)
            self._tracker.adopt(trails)
            self._passed("takeover.adopted")
            await resume_all(trails, self._tracker, self._live, self._passed)
