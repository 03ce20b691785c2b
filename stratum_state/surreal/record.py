"""What is written to a store while it is copied, to be repeated in the copy."""

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import anyio

from stratum_state.surreal import replies

_MOST_BYTES = 64 << 20
_READS = "SELECT"
_FEW = 20
"""So many are repeated in a moment."""
_AT_ONCE = 50
_SLOWER = 1 / 2
_NOTHING_DONE = (replies.Conflict, replies.Stale, replies.Refusal)

Repeat = Callable[[Sequence[bytes]], Awaitable[None]]
"""Does requests in the copy, in their order."""


class Record:
    """Requests that changed something, in the order in which they were done.

    Everything that changes a record is one transaction, so that it was done or not; and they
    are done one after the other, so that repeating them makes of the same store the same.
    """

    def __init__(self) -> None:
        self._is_known = True
        self._requests: deque[bytes] = deque()
        self._size = 0
        self._turn = anyio.Lock()
        self._most = math.inf
        """So many may wait to be repeated; who would write more waits."""
        self._changed = anyio.Event()

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
            while len(self._requests) >= self._most:
                await self._changed.wait()
            try:
                yield
            except _NOTHING_DONE:
                raise
            except BaseException:
                self._is_known = False
                raise
            self._requests.append(request)
            self._size += len(request)

    async def catch_up(self, repeat: Repeat) -> None:
        """Repeat until few are left, while writers come half as fast as that goes."""
        self._most = max(_FEW, len(self))
        try:
            while len(self) > _FEW and self.is_whole:
                done = await self._repeat(repeat)
                self._most = max(_FEW, self._most - done * _SLOWER)
                self._tell()
        finally:
            self._most = math.inf
            self._tell()

    async def finish(self, repeat: Repeat) -> None:
        """Repeat what is left."""
        while len(self) and self.is_whole:
            await self._repeat(repeat)

    async def _repeat(self, repeat: Repeat) -> int:
        some = list(islice(self._requests, _AT_ONCE))
        await repeat(some)
        for each in some:
            self._requests.popleft()
            self._size -= len(each)
        return len(some)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
