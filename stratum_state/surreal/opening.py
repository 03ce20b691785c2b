"""Opening the store: the checks, the schema, the lease, then the lane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from stratum_state.errors import BrokenChain, Unavailable
from stratum_state.ledger import Ledger
from stratum_state.surreal import folder, lease, migrations, replies, transport
from stratum_state.surreal.commit import Committer
from stratum_state.surreal.lane import Lane
from stratum_state.surreal.lease import Lease
from stratum_state.surreal.reader import Reader
from stratum_state.surreal.store import SurrealStore
from stratum_state.surreal.transport import Transport

_ENDED = 1024  # runs that ended can still be moved without a query
_DRAIN_S = 20


@asynccontextmanager
async def open_store(
    url: str, *, lane: str, namespace: str, database: str, heartbeat_s: float = 15
) -> AsyncIterator[SurrealStore]:
    """Open the store at `surrealkv:///absolute/path` or `mem://`, writing through `lane`.

    On leaving, what was handed over is kept first. The process should then end with
    `os._exit`. Raises StoreInUse, Unavailable, BrokenChain.
    """
    async with (
        transport.embedded(url, namespace, database) as connection,
        over(connection, lane=lane, heartbeat_s=heartbeat_s) as store,
    ):
        yield store


@asynccontextmanager
async def over(
    connection: Transport, *, lane: str, heartbeat_s: float = 15
) -> AsyncIterator[SurrealStore]:
    """The store over an open connection; see `open_store`."""
    held = await _take(connection, lane)
    committer = Committer(connection, held)
    ledger, beside = Ledger(ended=_ENDED), Reader(connection, lane)
    writer = Lane(lane, committer, ledger, beside.on_record)
    try:
        async with _served(writer, heartbeat_s):
            yield SurrealStore(writer, ledger, beside)
    finally:
        if connection.path:
            _note(connection.path, lane, committer.seq, clean=writer.kept_everything)


@asynccontextmanager
async def _served(writer: Lane, heartbeat_s: float) -> AsyncIterator[None]:
    """Run the lane; at the end, whatever the reason, let it keep what was handed over."""
    with_lane = anyio.CancelScope(shield=True)

    async def serve() -> None:
        with with_lane:
            await writer.serve(heartbeat_s)

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        try:
            yield
        finally:
            with anyio.move_on_after(_DRAIN_S, shield=True):
                await writer.close()
            with_lane.cancel()


async def _take(connection: Transport, lane: str) -> Lease:
    try:
        await migrations.migrate(connection)
        if connection.path and folder.mark(connection.path).get("clean") is not True:
            await migrations.reindex(connection)
        held = await lease.acquire(connection, lane)
    except replies.SurrealError as error:
        raise Unavailable(str(error)) from error
    if connection.path:
        _compare(connection.path, held)
        _note(connection.path, lane, held.seq, clean=False)
    return held


def _compare(path: Path, held: Lease) -> None:
    """Refuse a store that lost what it once had: a damaged log opens without complaint."""
    noted = folder.mark(path).get(f"seq {held.lane}", 0)
    if isinstance(noted, int) and held.seq < noted:
        why = (
            f"batch {noted} was there once; restore {path} from a backup, "
            f"or delete {path / folder.MARK} to go on without what is lost"
        )
        chain = f"lane {held.lane}"
        raise BrokenChain(chain, held.seq + 1, why)


def _note(path: Path, lane: str, seq: int, *, clean: bool) -> None:
    folder.note(path, {**folder.mark(path), f"seq {lane}": seq, "clean": clean})
