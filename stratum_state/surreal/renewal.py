"""An embedded engine that is compacted while it is in use.

What is there is copied from a snapshot of the store's files, by processes of their own, while
the store goes on; what was written meanwhile is then repeated in the copy, call by call, as it
was done. Only for the last of it, and while the copy takes the store's place, whoever calls has
to wait. From then on, the engine is a process of its own.
"""

import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from stratum_state.errors import BrokenChain, DiskFailed, Unavailable
from stratum_state.surreal import apart, cbor, compaction, folder, replies, transport
from stratum_state.surreal.apart import Apart
from stratum_state.surreal.compaction import Compacted
from stratum_state.surreal.record import Record
from stratum_state.surreal.transport import Embedded, Place
from stratum_state.surreal.unwrapping import unwrapped

_MOST_RECORDS = 200_000
"""Meanwhile there are three stores, and the engine keeps their index in memory."""
_REFUSED_S = 3600.0
"""How long a store with more of them is left alone: to count them takes a while, too."""
_COPIES = 2
_NO_LOCK = -1
_NOT_POSSIBLE = (
    *(Unavailable, BrokenChain, DiskFailed, OSError),
    *(replies.SurrealError, cbor.Undecodable, RuntimeError),
)

log = logging.getLogger(__name__)


class Renewable:
    """SurrealDB in a folder or in memory, ours alone; a `Transport`."""

    comes_back = False
    up_since = -math.inf

    def __init__(self, place: Place, tasks: TaskGroup, lock: int) -> None:
        """`lock` is the descriptor that keeps others out. Raises BadAddress."""
        self.path: Path | None = transport.folder_of(place.url)
        self._place = place
        self._tasks = tasks
        self._lock = lock
        self._engine: Embedded | None = None
        self._calls = 0
        self._changed = anyio.Event()
        self._still = False
        self._refused_until = -math.inf
        self._record: Record | None = None
        """Of what is written while it is copied."""

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
        request = transport.encoded(query, params)
        self._calls += 1
        try:
            if self._record is None:
                return await self._engine.send(request, within_s=within_s)
            async with self._record.entry(query, request):
                return await self._engine.send(request, within_s=within_s)
        finally:
            self._calls -= 1
            self._tell()

    async def open(self) -> None:
        """Raises Unavailable."""
        self._engine = await transport.begin(self._place)

    async def close(self) -> None:
        """Nothing can be called any more."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def renew(self, waste: int, passed: Callable[[str], None]) -> Compacted | None:
        """Compact it if so many bytes in it are of no use, and no fewer than are of use.

        With no waste allowed, it is compacted whatever is in it. None when nothing was done.
        Raises Unavailable, and DiskFailed when it cannot go on afterwards.
        """
        if self.path is None or not await self._is_due(self.path, waste):
            return None
        if anyio.current_time() < self._refused_until:
            return None
        if await self._count() > _MOST_RECORDS:
            self._refused_until = anyio.current_time() + _REFUSED_S
            why = "too many records: stop the daemon and run `stratum compact`"
            log.warning("store not compacted", extra={"why": why})
            return None
        try:
            return await self._renew(self.path, passed)
        finally:
            self._record = None
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(folder.discard_copies, self.path)

    async def _is_due(self, path: Path, waste: int) -> bool:
        try:
            return await anyio.to_thread.run_sync(_is_due, path, waste)
        except OSError as why:  # no descriptor is left, perhaps
            raise Unavailable(f"{path} cannot be measured: {why}") from why  # noqa: TRY003

    async def _count(self) -> int:
        try:
            return await compaction.count(self)
        except replies.SurrealError as why:
            raise Unavailable(str(why)) from why

    async def _renew(self, path: Path, passed: Callable[[str], None]) -> Compacted | None:
        began = anyio.current_time()
        before = await anyio.to_thread.run_sync(folder.size, path)
        try:
            records, paused_s = await self._replace(path, passed)
        except _NOT_POSSIBLE as why:
            if self._engine is None:  # there is nothing to go back to
                raise DiskFailed(f"{path} cannot be replaced by its copy: {why}") from why  # noqa: TRY003
            log.warning("store not compacted", extra={"why": str(why)})
            return None
        after = await anyio.to_thread.run_sync(folder.size, path)
        took = {
            "took_s": round(anyio.current_time() - began, 2),
            "paused_s": round(paused_s, 3),
        }
        said = {"before": before, "after": after, "records": records, **took}
        log.info("store compacted", extra=said)
        return Compacted(before, after, records)

    async def _replace(self, path: Path, passed: Callable[[str], None]) -> tuple[int, float]:
        """Copy the store, and put the copy in its place; how many records, and the pause."""
        await anyio.to_thread.run_sync(compaction.make_room, path, _COPIES)
        record = await self._snap(path)
        passed("compaction.begun")
        async with AsyncExitStack() as processes:
            reading, target, heir = [await self._process(processes) for _ in range(3)]
            copy = await target.open(compaction.copied(self._place))
            snapshot = self._place._replace(url=f"surrealkv://{folder.snapshot_of(path)}")
            records = await compaction.copy(await reading.open(snapshot), copy, path)
            await reading.close()
            await record.catch_up(target.repeat)
            stopped = anyio.current_time()
            async with self._stillness() as engine:
                await record.finish(target.repeat)
                _check(record)
                await compaction.compare(engine, copy)
                await target.close()
                await anyio.to_thread.run_sync(compaction.note, path)
                passed("compaction.copied")
                await self.close()
                try:
                    await anyio.to_thread.run_sync(folder.replace, path, passed)
                finally:  # the copy or the store itself is there
                    await self._inherit(heir, processes)
            return records, anyio.current_time() - stopped

    async def _inherit(self, heir: Apart, processes: AsyncExitStack) -> None:
        self._engine = await heir.open(self._place)
        processes.pop_all()  # the others have ended, and the heir stays

    async def _snap(self, path: Path) -> Record:
        """Take a snapshot, and record what is written from then on."""
        await anyio.to_thread.run_sync(folder.snap, path)
        async with self._stillness() as engine:
            if not engine.is_certain:
                raise Unavailable("a query that was given up may still be at work")  # noqa: TRY003
            await anyio.to_thread.run_sync(folder.snap, path)  # what has come since
            self._record = Record()
        return self._record

    async def _process(self, until: AsyncExitStack) -> Apart:
        """One that opens a store when it is told to."""
        made = await apart.start(self._lock, self._tasks)
        until.push_async_callback(made.close)
        return made

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
    path = transport.folder_of(place.url)
    with unwrapped():
        async with (
            folder.kept(path) if path else nullcontext(_NO_LOCK) as lock,
            anyio.create_task_group() as tasks,
        ):
            made = Renewable(place, tasks, lock)
            await made.open()
            try:
                yield made
            finally:
                await made.close()
                tasks.cancel_scope.cancel()


def _check(record: Record) -> None:
    if not record.is_whole:
        raise Unavailable("too much was written meanwhile, or it is not known what")  # noqa: TRY003


def _is_due(path: Path, waste: int) -> bool:
    used = folder.mark(path).get(compaction.USED, 0)
    used = used if isinstance(used, int) else 0
    wasted = folder.size(path) - used
    return not waste or wasted >= max(waste, used)
