"""An embedded engine that is compacted while it is in use: whoever calls it meanwhile waits."""

import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import anyio.to_thread

from stratum_state.errors import BrokenChain, DiskFailed, Unavailable
from stratum_state.surreal import compaction, folder, replies, transport
from stratum_state.surreal.compaction import Compacted
from stratum_state.surreal.transport import Embedded, Place

_MOST_RECORDS = 200_000
"""Copying more than so many would keep everybody waiting for minutes."""
_MOST_TIMES = 30
"""The engine leaves eight idle threads behind whenever one is opened, two for each time."""

log = logging.getLogger(__name__)


class Renewable:
    """SurrealDB within this process, in a folder or in memory; a `Transport`."""

    comes_back = False
    up_since = -math.inf

    def __init__(self, place: Place) -> None:
        """Raises BadAddress."""
        self.path: Path | None = transport.folder_of(place.url)
        self._place = place
        self._opened = AsyncExitStack()
        self._engine: Embedded | None = None
        self._calls = 0
        self._changed = anyio.Event()
        self._still = False
        self._times = 0

    @property
    def is_up(self) -> bool:
        return not self._still

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        while self._still:
            await self._changed.wait()
        if self._engine is None:
            raise replies.Lost("the store is closed")  # noqa: TRY003
        self._calls += 1
        try:
            return await self._engine.call(query, params, within_s=within_s)
        finally:
            self._calls -= 1
            self._tell()

    async def open(self) -> None:
        """Raises Unavailable."""
        opening = transport.engine(self._place)
        self._engine = await self._opened.enter_async_context(opening)

    async def close(self) -> None:
        """Nothing can be called any more."""
        self._engine = None
        await self._opened.aclose()

    async def renew(self, waste: int, passed: Callable[[str], None]) -> Compacted | None:
        """Compact it if so many bytes in it are of no use, and no fewer than are of use.

        With no waste allowed, it is compacted whatever is in it. None when nothing was done.
        Raises Unavailable, and DiskFailed when it cannot go on afterwards.
        """
        if self.path is None or not await anyio.to_thread.run_sync(_is_due, self.path, waste):
            return None
        why = ""
        if self._times >= _MOST_TIMES:
            why = "it was often enough: start the daemon anew when it suits you"
        elif await self._count() > _MOST_RECORDS:
            why = "too many records: stop the daemon and run `stratum compact`"
        if why:
            log.warning("store not compacted", extra={"why": why})
            return None
        async with self._stillness() as engine:
            return await self._renew(engine, self.path, passed)

    async def _count(self) -> int:
        try:
            return await compaction.count(self)
        except replies.SurrealError as why:
            raise Unavailable(str(why)) from why

    async def _renew(
        self, engine: Embedded, path: Path, passed: Callable[[str], None]
    ) -> Compacted | None:
        began = anyio.current_time()
        before = await anyio.to_thread.run_sync(folder.size, path)
        try:
            if not engine.is_certain:
                raise Unavailable("a query that was given up may still be at work")  # noqa: TRY003, TRY301
            records = await compaction.copy(engine, self._place)
        except (Unavailable, BrokenChain, DiskFailed, OSError) as why:
            log.warning("store not compacted", extra={"why": str(why)})
            await anyio.to_thread.run_sync(folder.discard_copy, path)
            return None
        passed("compaction.copied")
        self._times += 1
        await self.close()
        try:
            await anyio.to_thread.run_sync(folder.replace, path, passed)
            self._opened = AsyncExitStack()
            await self.open()
        except (OSError, Unavailable) as why:
            raise DiskFailed(f"{path} cannot be replaced by its copy: {why}") from why  # noqa: TRY003
        compacted = Compacted(
            before, await anyio.to_thread.run_sync(folder.size, path), records
        )
        took = round(anyio.current_time() - began, 2)
        said = {"before": before, "after": compacted.after, "records": records, "took_s": took}
        log.info("store compacted", extra=said)
        return compacted

    @asynccontextmanager
    async def _stillness(self) -> AsyncIterator[Embedded]:
        """Let what is at work end, and everything else wait."""
        self._still = True
        try:
            while self._calls:
                await self._changed.wait()
            if self._engine is None:
                raise Unavailable("the store is closed")  # noqa: TRY003
            with anyio.CancelScope(shield=True):  # half of it would leave nothing to go on with
                yield self._engine
        finally:
            self._still = False
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def renewable(place: Place) -> AsyncIterator[Renewable]:
    """Open it for us alone. Raises BadAddress, StoreInUse, DiskFailed, Unavailable."""
    made = Renewable(place)
    with folder.held(made.path) if made.path else nullcontext():
        await made.open()
        try:
            yield made
        finally:
            await made.close()


def _is_due(path: Path, waste: int) -> bool:
    used = folder.mark(path).get(compaction.USED, 0)
    used = used if isinstance(used, int) else 0
    wasted = folder.size(path) - used
    return not waste or wasted >= max(waste, used)
