"""A connection that is slow and fails on purpose, so that it can be seen what comes of it."""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from stratum_state.surreal import replies
from stratum_state.surreal.transport import Transport

SLOW = "store slow on purpose"
FAILED = "store failed on purpose"
"""What the log says of each."""
_LONGEST_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """How many of the calls meet it: shares from 0 to 1."""

    slow: float = 0
    failing: float = 0

    @property
    def is_any(self) -> bool:
        return self.slow > 0 or self.failing > 0


class Restless:
    """A `Transport` before another one; calm at first."""

    def __init__(self, calm: Transport, unrest: Unrest) -> None:
        self.is_calm = True
        self._calm = calm
        self._unrest = unrest

    @property
    def path(self) -> Path | None:
        return self._calm.path

    @property
    def comes_back(self) -> bool:
        return self._calm.comes_back

    @property
    def is_up(self) -> bool:
        return self._calm.is_up

    @property
    def up_since(self) -> float:
        return self._calm.up_since

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        dice = random.random
        if self.is_calm:
            return await self._calm.call(query, params, within_s=within_s)
        if dice() < self._unrest.slow:
            log.info(SLOW)
            await anyio.sleep(_LONGEST_S * dice())
        fails, is_late = dice() < self._unrest.failing, dice() < 1 / 2
        if fails and not is_late:
            self._fail("nothing was done")
        results = await self._calm.call(query, params, within_s=within_s)
        if fails:
            self._fail("it was done")
        return results

    def _fail(self, how: str) -> None:
        log.info(FAILED, extra={"how": how})
        raise replies.Lost(FAILED)
