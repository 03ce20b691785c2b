"""SurrealDB within the test, as it is or with faults put in front of it."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from stratum_state import journal
from stratum_state.surreal import SurrealStore, folder, opening, transport
from stratum_state.surreal.batch import COMMIT
from stratum_state.surreal.cbor import Id, Range
from stratum_state.surreal.replies import Lost, SurrealError
from stratum_state.surreal.transport import Transport
from support import signing

Found = Mapping[str, Any]

LOST = Lost("the line went dead")
INSTANCE = "one"
LANE = "0"


class Faulty:
    """A connection that fails when told to: before the engine sees a batch, or behind it."""

    def __init__(self, engine: Transport) -> None:
        self.path: Path | None = None
        self.comes_back = False
        self.is_up = True
        self.up_since = -math.inf
        self.before: list[SurrealError] = []
        self.after: list[SurrealError] = []
        self.commits = 0
        self._engine = engine

    async def call(
        self, query: str, params: Mapping[str, object], *, within_s: float = 30
    ) -> list[object]:
        if query is not COMMIT:
            return await self._engine.call(query, params, within_s=within_s)
        self.commits += 1
        if self.before:
            raise self.before.pop()
        results = await self._engine.call(query, params, within_s=within_s)
        if self.after:
            raise self.after.pop()
        return results


@asynccontextmanager
async def in_memory() -> AsyncIterator[Faulty]:
    """An empty engine of its own."""
    async with transport.embedded("mem://", "test", "test") as engine:
        yield Faulty(engine)


@asynccontextmanager
async def in_folder(
    path: Path, passed: Callable[[str], None] = folder.unwatched
) -> AsyncIterator[SurrealStore]:
    """The store in a folder; `passed` is told of boundaries."""
    async with opening.open_store(
        f"surrealkv://{path}",
        instance=INSTANCE,
        namespace="test",
        database="test",
        signer=signing.SIGNER,
        passed=passed,
    ) as store:
        yield store


@asynccontextmanager
async def the_engine(path: Path) -> AsyncIterator[Transport]:
    """The engine of the store in a folder, alone."""
    async with transport.embedded(f"surrealkv://{path}", "test", "test") as engine:
        yield engine


async def ask(engine: Transport, query: str, **params: object) -> Sequence[object]:
    """The result of the last statement."""
    result = (await engine.call(query, params))[-1]
    return result if isinstance(result, list) else [result]


async def chains_hold(engine: Transport) -> bool:
    """Whether each lane's journal follows from its beginning to its lease, over anchors too."""
    return all([await _chain_holds(engine, lane) for lane in await found(engine, "lease")])


async def _chain_holds(engine: Transport, lane: Found) -> bool:
    prev, epoch = journal.ORIGIN, 0
    name = key(lane)
    anchors = {key(each)[1]: each for each in await found(engine, "anchor", name)}
    batches = {key(each)[1]: each for each in await found(engine, "journal", name)}
    for number in sorted({*anchors, *batches}):
        link = anchors.get(number) or batches[number]
        if link["prev"] != prev:
            return False
        prev = link["hash"]
        if number in batches:
            said = journal.seal(link["prev"], link["at"], link["body"])
            if number in anchors or said != prev or link["epoch"] < epoch:
                return False
            epoch = link["epoch"]
    return prev == lane["hash"] and lane["mark"] == lane["seq"]


async def found(engine: Transport, table: str, lane: str = "") -> Sequence[Found]:
    """The table's records, of one lane if told so."""
    if not lane:
        return cast("Sequence[Found]", await ask(engine, f"SELECT * FROM {table}"))  # noqa: S608
    span = Id(table, Range([lane, None], [lane, []]))
    return cast("Sequence[Found]", await ask(engine, "SELECT * FROM $span", span=span))


def key(record: Found) -> Any:
    """The key of its id."""
    return record["id"].key
