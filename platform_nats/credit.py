"""Backpressure: how many events may be in hand now."""

import anyio


class Bell:
    """Wakes the one who waits. Rings are not counted: look again at everything."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, at_most_s: float) -> None:
        """Return when it was rung since the last wait, or after the seconds."""
        with anyio.move_on_after(at_most_s):
            await self._rung.wait()
        self._rung = anyio.Event()


class Credit:
    """How many events may be in hand now. Whoever runs them sets it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.bell = Bell()

    @property
    def limit(self) -> int:
        return self._limit

    def set(self, limit: int) -> None:
        """Allow so many in hand from now on; 0 takes no more."""
        self._limit = max(0, limit)
        self.bell.ring()
