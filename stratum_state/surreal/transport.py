"""How statements reach SurrealDB: the port, and the engine within this process."""

import math
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

import anyio
import anyio.to_thread
from surrealdb.connections.async_embedded import AsyncEmbeddedSurrealConnection

from stratum_state.errors import BadAddress, Unavailable
from stratum_state.surreal import cbor, folder, replies

SETTINGS = {
    "SURREAL_SYNC_DATA": "true",  # exactly so: `1` and `True` mean off, without a word
    "SURREAL_SURREALKV_MAX_VALUE_CACHE_SIZE": str(64 << 20),  # or half of the memory
    "SURREAL_SURREALKV_MAX_SEGMENT_SIZE": str(folder.SEGMENT),
}


_PAUSE_S = 0.05


class Transport(Protocol):
    """A connection that sends one query at a time, or several at once."""

    @property
    def path(self) -> Path | None:
        """Where the store is, when it is a folder of ours."""
        ...

    @property
    def comes_back(self) -> bool:
        """Whether waiting helps when it is away: for a server, not for an engine of ours."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether it is there, as far as is known."""
        ...

    @property
    def up_since(self) -> float:
        """When it came up, on the clock of the event loop."""
        ...

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        """The results of all statements. Raises Conflict, Stale, Refusal, Lost.

        Cancelling it leaves the outcome unknown.
        """
        ...


async def insist(
    transport: Transport, query: str, params: Mapping[str, object], *, within_s: float = 300
) -> list[object]:
    """Call, again and again while other transactions are in the way of ones like these."""
    while True:
        try:
            return await transport.call(query, params, within_s=within_s)
        except replies.Conflict:
            await anyio.sleep(_PAUSE_S * random.random())  # noqa: S311 - jitter


class Executor(Protocol):
    """What runs requests in an engine: in this process, or in one of its own."""

    async def execute(self, request: bytes) -> bytes:
        """The answer. Raises RuntimeError when the request cannot be read, and Ended."""
        ...

    async def close(self) -> None:
        """Nothing can be asked any more."""
        ...


class Place(NamedTuple):
    """Where an embedded store is."""

    url: str
    namespace: str
    database: str


class Embedded:
    """SurrealDB in a folder or in memory, which is ours alone.

    Where it is in this process, that should end with `os._exit` once it is closed: the
    interpreter's own way out may abort when the engine's threads are still at work.
    """

    comes_back = False
    is_up = True
    up_since = -math.inf

    def __init__(self, executor: Executor, path: Path | None) -> None:
        self.path = path
        self.is_certain = True
        """Whether nothing is at work in it that nobody waits for."""
        self._executor = executor

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        return await self.send(encoded(query, params), within_s=within_s)

    async def send(self, request: bytes, *, within_s: float = 30) -> list[object]:
        """As `call`, of what is encoded already."""
        try:
            # Shielded, so that whoever is cancelled leaves nothing at work behind.
            with anyio.fail_after(within_s, shield=True):
                reply = await self._executor.execute(request)
        except TimeoutError as error:
            self.is_certain = False
            raise replies.Lost(f"no answer within {within_s} s") from error  # noqa: TRY003
        except RuntimeError as error:  # the query itself cannot be read
            raise replies.Refusal(str(error)) from error
        try:
            return replies.results(cbor.loads(reply))
        except cbor.Undecodable as error:
            self.is_certain = False
            raise replies.Lost(str(error)) from error

    async def close(self) -> None:
        """Nothing can be called any more."""
        with anyio.move_on_after(10, shield=True):
            await self._executor.close()


class _Within:
    """The engine in this process."""

    def __init__(self, sdk: AsyncEmbeddedSurrealConnection) -> None:
        self._sdk = sdk

    async def execute(self, request: bytes) -> bytes:
        # its own codec is seven times slower
        return await self._sdk._db.execute(request)  # noqa: SLF001

    async def close(self) -> None:
        await self._sdk.close()


def encoded(query: str, params: Mapping[str, object]) -> bytes:
    """The request as the engine reads it."""
    return cbor.dumps({"id": "1", "method": "query", "params": [query, params]})


def choice(place: Place) -> bytes:
    """The request to work in the place's database."""
    chosen = [place.namespace, place.database]
    return cbor.dumps({"id": "0", "method": "use", "params": chosen})


@asynccontextmanager
async def embedded(url: str, namespace: str, database: str) -> AsyncIterator[Embedded]:
    """Open `surrealkv:///absolute/path` or `mem://`.

    Raises BadAddress, StoreInUse, DiskFailed, Unavailable.
    """
    path = folder_of(url)
    async with (
        folder.kept(path) if path else nullcontext(),
        engine(Place(url, namespace, database)) as opened,
    ):
        yield opened


@asynccontextmanager
async def engine(place: Place) -> AsyncIterator[Embedded]:
    """As `begin`, for as long as the block lasts."""
    opened = await begin(place)
    try:
        yield opened
    finally:
        await opened.close()


async def begin(place: Place) -> Embedded:
    """Open what nobody else has open, and nobody can. Raises BadAddress, Unavailable."""
    path = folder_of(place.url)
    os.environ.update(SETTINGS)  # noqa: TID251 - the engine reads them nowhere else
    # Opening replays the log and blocks for as long as that takes.
    try:
        sdk = await anyio.to_thread.run_sync(AsyncEmbeddedSurrealConnection, place.url)
        await sdk.use(place.namespace, place.database)
    except RuntimeError as error:
        raise Unavailable(f"{place.url} cannot be opened: {error}") from error  # noqa: TRY003
    return Embedded(_Within(sdk), path)


def folder_of(url: str) -> Path | None:
    """The folder of an embedded store, None for one in memory. BadAddress for no store."""
    scheme, _, rest = url.partition("://")
    if scheme == "mem" and not rest:
        return None
    path = Path(rest)
    if scheme != "surrealkv" or not path.is_absolute() or "?" in rest:
        raise BadAddress(  # noqa: TRY003
            f"{url} is no store: give surrealkv:// and an absolute path, or mem://, "
            "or the ws:// or wss:// address of a server"
        )
    return path
