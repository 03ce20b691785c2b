"""What is old enough is forgotten: runs that ended, their verdicts and journals, in batches."""

import logging
from collections.abc import Sequence
from typing import Protocol

import anyio
import anyio.lowlevel

from stratum_orchestrator.ports import Clock
from stratum_state.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 1000
"""Records of each kind in one go: other writes get their turn in between."""


class Forgetful(Protocol):
    """A store that can forget."""

    async def collect(
        self, before_ms: int, limit: int, *, dry_run: bool = False
    ) -> Sequence[int]:
        """Forget what ended before the time; how many runs, verdicts and journal rows."""
        ...


class Retention:
    """Keeps records for an age, and no longer."""

    def __init__(self, store: Forgetful, clock: Clock, age_s: float) -> None:
        self._store = store
        self._clock = clock
        self._age_s = age_s

    async def watch(self, every_s: float) -> None:
        """Collect again and again, until cancelled."""
        while True:
            await anyio.sleep(every_s)
            try:
                runs, verdicts, batches = await self.collect()
            except Unavailable:
                log.info("nothing collected: the store is away")
                continue
            if runs or verdicts or batches:
                found = {"runs": runs, "verdicts": verdicts, "journal": batches}
                log.info("old records collected", extra=found)

    async def collect(self) -> tuple[int, int, int]:
        """Collect until nothing is left; how many runs, verdicts and journal rows went."""
        before_ms = self._clock.now_ms() - round(self._age_s * 1000)
        totals = (0, 0, 0)
        while True:
            runs, verdicts, batches = await self._store.collect(before_ms, BATCH)
            totals = (totals[0] + runs, totals[1] + verdicts, totals[2] + batches)
            if not runs and not verdicts and not batches:
                return totals
            await anyio.lowlevel.checkpoint()
