"""What is written to a store while it is copied, to be repeated in the copy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from stratum_state.surreal import replies

_MOST_BYTES = 64 << 20
_READS = "SELECT"
_NOTHING_DONE = (replies.Conflict, replies.Stale, replies.Refusal)


class Record:
    """Requests that changed something, in the order in which they were done.

    Everything that changes a record is one transaction, so that it was done or not; and they
    are done one after the other, so that repeating them makes of the same store the same.
    """

    def __init__(self) -> None:
        self._is_known = True
        self._requests: list[bytes] = []
        self._size = 0
        self._turn = anyio.Lock()

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def is_whole(self) -> bool:
        """False when it is not known what was done, or when it became too much."""
        return self._is_known and self._size < _MOST_BYTES

    @asynccontextmanager
    async def entry(self, query: str, request: bytes) -> AsyncIterator[None]:
        """Do the request in the block."""
        if query.lstrip().startswith(_READS):
            yield
            return
        async with self._turn:
            try:
                yield
            except _NOTHING_DONE:
                raise
            except BaseException:
                self._is_known = False
                raise
            self._requests.append(request)
            self._size += len(request)

    def take(self) -> Sequence[bytes]:
        """What came since it was last taken."""
        taken, self._requests, self._size = self._requests, [], 0
        return taken
