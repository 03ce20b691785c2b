"""How statements reach SurrealDB: the port, and the engine within this process."""

import math
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from surrealdb.connections.async_embedded import AsyncEmbeddedSurrealConnection

from stratum_state.errors import BadAddress, Unavailable
from stratum_state.surreal import cbor, folder, replies

_SETTINGS = {
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


class Embedded:
    """SurrealDB within this process.

    The process should end with `os._exit` once it is closed: the interpreter's own way out
    may abort when the engine's threads are still at work.
    """

    comes_back = False
    is_up = True
    up_since = -math.inf

    def __init__(self, handle: "_Handle", path: Path | None) -> None:
        self.path = path
        self._handle = handle

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        request = cbor.dumps({"id": "1", "method": "query", "params": [query, params]})
        try:
            with anyio.fail_after(within_s):
                reply = await self._handle.execute(request)
        except TimeoutError as error:
            raise replies.Lost(f"no answer within {within_s} s") from error  # noqa: TRY003
        except RuntimeError as error:  # the query itself cannot be read
            raise replies.Refusal(str(error)) from error
        try:
            return replies.results(cbor.loads(reply))
        except cbor.Undecodable as error:
            raise replies.Lost(str(error)) from error


class _Handle(Protocol):
    async def execute(self, request: bytes) -> bytes: ...


@asynccontextmanager
async def embedded(url: str, namespace: str, database: str) -> AsyncIterator[Embedded]:
    """Open `surrealkv:///absolute/path` or `mem://`.

    Raises BadAddress, StoreInUse, DiskFailed, Unavailable.
    """
    path = folder_of(url)
    with folder.held(path) if path else nullcontext():
        async with engine(url, namespace, database) as opened:
            yield opened


@asynccontextmanager
async def engine(url: str, namespace: str, database: str) -> AsyncIterator[Embedded]:
    """Open what nobody else has open, and nobody can. Raises BadAddress, Unavailable."""
    path = folder_of(url)
    os.environ.update(_SETTINGS)  # noqa: TID251 - the engine reads them nowhere else
    # Opening replays the log and blocks for as long as that takes.
    try:
        sdk = await anyio.to_thread.run_sync(AsyncEmbeddedSurrealConnection, url)
        await sdk.use(namespace, database)
    except RuntimeError as error:
        raise Unavailable(f"{url} cannot be opened: {error}") from error  # noqa: TRY003
    try:
        yield Embedded(sdk._db, path)  # noqa: SLF001 - its own codec is seven times slower
    finally:
        with anyio.move_on_after(10, shield=True):
            await sdk.close()


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
