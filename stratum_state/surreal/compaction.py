"""Compaction of an embedded store: a copy of what is there, put in the place of the store.

The engine (SurrealKV 0.9) only ever appends: a store keeps every version of every record until
it is copied, on disk and, as an index, in memory. The copy is whole and on disk before the
store gives way to it, and opening finishes what a crash in between left to do.
"""

import logging
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import anyio.to_thread

from stratum_state.errors import BrokenChain, DiskFailed, Unavailable
from stratum_state.surreal import folder, migrations, replies, transport
from stratum_state.surreal.cbor import Id, Range
from stratum_state.surreal.transport import Place, Transport

log = logging.getLogger(__name__)

USED = "used"
"""What a folder's mark calls its bytes behind the last compaction."""


class _Table(NamedTuple):
    """A table, how many of its records fit into one transaction, and what its keys are."""

    name: str
    page: int = 100
    keys_are_arrays: bool = False


# The leases come last: whoever finds them knows that everything is there.
_TABLES = (
    _Table("inbox"),
    _Table("run"),
    _Table("verdict"),
    _Table("activation"),
    _Table("standing"),
    _Table("decision"),
    _Table("step", keys_are_arrays=True),
    _Table("compensation", keys_are_arrays=True),
    _Table("credential_lease", keys_are_arrays=True),
    _Table("checkpoint", keys_are_arrays=True),
    _Table("answer", keys_are_arrays=True),
    _Table("head", keys_are_arrays=True),
    _Table("blob", page=4, keys_are_arrays=True),
    _Table("journal", page=20, keys_are_arrays=True),
    _Table("anchor", keys_are_arrays=True),
    _Table("lease"),
)
_LAST = "~"  # behind every character of a key
_PAGE = "SELECT * FROM $range LIMIT $limit"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction came to."""

    before: int
    """Bytes."""
    after: int
    """Bytes."""
    records: int


async def compact(
    url: str,
    *,
    namespace: str,
    database: str,
    passed: Callable[[str], None] = folder.unwatched,
) -> Compacted:
    """Compact the store at `surrealkv:///absolute/path`, which nobody may have open.

    `passed` is told of each boundary between durable states. The process should then end with
    `os._exit`. Raises BadAddress, StoreInUse, DiskFailed,
    Unavailable, BrokenChain; the store is then as it was.
    """
    place = Place(url, namespace, database)
    path = transport.folder_of(url)
    if path is None or not folder.has_store(path):
        raise Unavailable(f"{url} is no folder with a store in it")  # noqa: TRY003
    async with folder.kept(path):
        before = folder.size(path)
        await anyio.to_thread.run_sync(make_room, path, 1)
        async with transport.engine(place) as source, transport.engine(copied(place)) as target:
            records = await copy(source, target, path)
        note(path, clean=True)
        passed("compaction.copied")
        await anyio.to_thread.run_sync(folder.replace, path, passed)
        compacted = Compacted(before, folder.size(path), records)
    log.info("store compacted", extra={"path": str(path), "records": records})
    return compacted


def copied(place: Place) -> Place:
    """The place of its copy."""
    path = Path(place.url.partition("://")[2])
    return place._replace(url=f"surrealkv://{folder.copy_of(path)}")


async def copy(source: Transport, target: Transport, path: Path) -> int:
    """Copy all records of a store into an empty one; how many.

    Nobody may write meanwhile. Raises Unavailable, BrokenChain.
    """
    try:
        await migrations.check(source)
        return await _copy(source, target)
    except replies.SurrealError as error:
        raise Unavailable(f"{path} cannot be copied: {error}") from error  # noqa: TRY003


async def compare(store: Transport, copy: Transport) -> None:
    """Raise BrokenChain unless the copy ends where the store does, in every lane.

    The chain of a lane's batches holds everything that was written through it.
    """
    ours, theirs = await _leases(store), await _leases(copy)
    for lane in sorted({*ours, *theirs}):
        if ours.get(lane) != theirs.get(lane):
            raise BrokenChain(lane, 0, "the copy does not end as the store does")


def note(path: Path, *, clean: bool = False) -> None:
    """Note beside the copy, which is whole, what is noted beside the store."""
    into = folder.copy_of(path)
    used = {USED: folder.size(into)}
    folder.note(into, {**folder.mark(path), **used, **({"clean": True} if clean else {})})


async def count(store: Transport) -> int:
    """How many records there are."""
    return sum([await _count(store, table) for table in _TABLES])


async def _copy(source: Transport, target: Transport) -> int:
    """Copy all records; the rules of the schema come behind them, and ask about moves only."""
    copied = 0
    for table in _TABLES:
        there = 0
        async for found in _pages(source, table):
            page = [_timeless(each) for each in found]
            await target.call(f"INSERT INTO {table.name} $page RETURN NONE", {"page": page})
            there += len(page)
        if there != await _count(source, table) or there != await _count(target, table):
            raise BrokenChain(table.name, there, "not all of its records could be copied")
        copied += there
    await migrations.impose(target)
    await target.call("UPDATE lease SET at = time::now() RETURN NONE", {})
    return copied


async def _pages(source: Transport, table: _Table) -> AsyncIterator[list[dict[str, object]]]:
    low: object = [""] if table.keys_are_arrays else ""
    high: object = [_LAST] if table.keys_are_arrays else _LAST
    keys = Range(low, high)
    while True:
        params = {"range": Id(table.name, keys), "limit": table.page}
        page = replies.rows((await source.call(_PAGE, params, within_s=300))[-1])
        if page:
            yield page
        if len(page) < table.page:
            return
        keys = Range(cast("Id", page[-1]["id"]).key, high, behind=True)


async def _leases(store: Transport) -> Mapping[str, Mapping[str, object]]:
    found = replies.rows((await store.call("SELECT * FROM lease", {}))[-1])
    return {f"lane {cast('Id', each['id']).key}": _timeless(each) for each in found}


def _timeless(record: dict[str, object]) -> dict[str, object]:
    """The record without the database's own times, which are set anew."""
    return {name: each for name, each in record.items() if not isinstance(each, float)}


async def _count(engine: Transport, table: _Table) -> int:
    query = f"SELECT count() AS records FROM {table.name} GROUP ALL"  # noqa: S608
    found = replies.rows((await engine.call(query, {}, within_s=300))[-1])
    return cast("int", found[0]["records"]) if found else 0


def make_room(path: Path, copies: int) -> None:
    """An empty folder for the copy. Raises DiskFailed when there is no room for so many."""
    if path.is_symlink() or path.is_mount():
        why = "another folder cannot take its place: link or mount the folder that it is in"
        raise DiskFailed(f"{path} is a link or a mount point; {why}")  # noqa: TRY003
    folder.discard_copies(path)  # of a compaction that did not come to its end
    folder.copy_of(path).mkdir(mode=0o700)
    needed = copies * folder.size(path)
    free = shutil.disk_usage(path.parent).free
    if free < needed + folder.SEGMENT:
        missing = (needed + folder.SEGMENT - free >> 20) + 1
        raise DiskFailed(f"{path}: {missing} MiB more are needed for the copy; make room")  # noqa: TRY003
