"""Where events wait until as many runs may begin as they open: first come, first served."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from stratum_orchestrator.errors import NoRoom

_PATIENCE_S = 5.0  # a daemon that is asked to end waits no longer for events in hand


class Entrance:
    """Keeps the runs under way within the capacity.

    The broker was told of room for events, and an event may open several pipelines.
    """

    def __init__(self, capacity: int, under_way: Callable[[], int]) -> None:
        """Let in so many runs; `under_way` counts those that have begun."""
        self._capacity = capacity
        self._under_way = under_way
        self._queue = anyio.Lock()
        self._promised = 0
        self._freed = anyio.Event()

    @asynccontextmanager
    async def room_for(
        self, runs: int, *, within_s: float = _PATIENCE_S
    ) -> AsyncIterator[None]:
        """Wait until so many may begin; start them inside.

        More than the capacity have the daemon to themselves. NoRoom when too few have ended
        within the seconds.
        """
        with anyio.move_on_after(within_s) as patience:
            await self._wait_for(runs)
        if patience.cancelled_caught:
            raise NoRoom(runs, self._capacity)
        try:
            yield
        finally:
            self._promised -= runs
            self.look_again()

    def look_again(self) -> None:
        """A run has ended."""
        self._freed.set()

    async def _wait_for(self, runs: int) -> None:
        async with self._queue:
            while self._promised + self._under_way() + runs > max(self._capacity, runs):
                self._freed = anyio.Event()
                await self._freed.wait()
            self._promised += runs
