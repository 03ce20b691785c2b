"""Opening the store: the checks, the schema, then a lane."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from stratum_state.errors import BrokenChain, DiskFailed, Unavailable
from stratum_state.head import Signer
from stratum_state.surreal import folder, lease, migrations, replies, websocket
from stratum_state.surreal.lanes import Held, Manner, lanes
from stratum_state.surreal.lease import Claimant, Lease
from stratum_state.surreal.reader import Reader
from stratum_state.surreal.renewal import renewable
from stratum_state.surreal.store import SurrealStore, unwatched
from stratum_state.surreal.transport import Place, Transport
from stratum_state.surreal.unrest import Restless, Unrest
from stratum_state.surreal.unwrapping import unwrapped
from stratum_state.surreal.websocket import Server

CALM = Unrest()
_TTL_S = 15
_HEARTBEATS = 3  # within the time that an owner may be silent
_VERY_LONG = 20


@asynccontextmanager
async def open_store(  # noqa: PLR0913 - who, and where: all of them by name
    url: str,
    *,
    instance: str,
    namespace: str,
    database: str,
    ttl_s: float = _TTL_S,
    user: str | None = None,
    password: str | None = None,
    signer: Signer | None = None,
    passed: Callable[[str], None] = unwatched,
    unrest: Unrest = CALM,
) -> AsyncIterator[SurrealStore]:
    """Open the store at `surrealkv:///absolute/path`, `mem://` or `ws://host:port`.

    New runs go to a lane of our own; `signer` signs the ends of runs. Of an instance that was
    silent for `ttl_s` seconds the lanes can be adopted; an embedded store has no other
    instance. `passed` is told of each boundary between durable states in adopting and
    collecting; `unrest` begins when the store is open. On leaving, what was handed over is kept
    first. The process should then end with `os._exit`. Raises StoreInUse, BadAddress, NotLetIn,
    NewerSchema, Unavailable, BrokenChain.
    """
    where = Server(
        url=url, namespace=namespace, database=database, user=user, password=password
    )
    with unwrapped():
        async with _connection(where) as connection:
            used = Restless(connection, unrest) if unrest.is_any else connection
            async with over(
                used, instance=instance, ttl_s=ttl_s, signer=signer, passed=passed
            ) as store:
                if isinstance(used, Restless):
                    used.is_calm = False
                yield store


@asynccontextmanager
async def over(
    connection: Transport,
    *,
    instance: str,
    ttl_s: float = _TTL_S,
    signer: Signer | None = None,
    passed: Callable[[str], None] = unwatched,
) -> AsyncIterator[SurrealStore]:
    """The store over an open connection; see `open_store`."""
    claimant = Claimant(instance, ttl_s)
    beside = Reader(connection)
    manner = Manner(ttl_s / _HEARTBEATS, signer)
    first: Held | None = None
    with unwrapped():
        try:
            async with lanes(connection, beside, manner) as held:
                held.open(await _claim(connection, claimant))
                first = held.primary
                yield SurrealStore(connection, held, beside, claimant, passed)
        finally:
            if connection.path and first is not None:
                clean = first.writer.kept_everything
                _note(connection.path, first.name, first.committer.seq, clean=clean)


def _connection(where: Server) -> AbstractAsyncContextManager[Transport]:
    if where.url.startswith(("ws://", "wss://")):
        return websocket.connect(where)
    return renewable(Place(where.url, where.namespace, where.database))


async def _claim(connection: Transport, claimant: Claimant) -> Lease:
    try:
        await migrations.migrate(connection)
        if connection.path and folder.mark(connection.path).get("clean") is not True:
            await migrations.reindex(connection)
        # Nobody else can have a folder of ours: whoever had the lane is gone. On a server, only
        # who has been silent for very long: it may be the server that was away.
        silence_s = 0 if connection.path else _VERY_LONG * claimant.ttl_s
        held = await lease.claim(connection, claimant._replace(ttl_s=silence_s))
    except replies.SurrealError as error:
        is_disk = isinstance(error, replies.Broken) and connection.path
        raise (DiskFailed if is_disk else Unavailable)(str(error)) from error
    if connection.path:
        _compare(connection.path, held)
        _note(connection.path, held.lane, held.seq, clean=False)
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
