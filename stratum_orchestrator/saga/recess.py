"""Runs that are suspended until people answer: they take part in nothing meanwhile."""

from heapq import heappop, heappush


class Recess:
    """Knows them by id, and until when they wait: all else about them is on record."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []
        """A heap; what does not agree with `_until` is out of date."""

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._until

    def seat(self, run_id: str, deadline: int) -> None:
        """Let a run wait until its first question is closed by itself, Unix milliseconds."""
        if self._until.get(run_id) != deadline:
            self._until[run_id] = deadline
            heappush(self._order, (deadline, run_id))

    def leave(self, run_id: str) -> None:
        """The run does not wait any more."""
        self._until.pop(run_id, None)

    def late(self, now_ms: int) -> str | None:
        """The run that waits longest for what will not come in time, if there is one."""
        while self._order:
            deadline, run = self._order[0]
            if self._until.get(run) != deadline:
                heappop(self._order)
            else:
                return run if deadline <= now_ms else None
        return None
