"""SurrealDB within the test, as it is or with faults put in front of it."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stratum_state import journal
from stratum_state.surreal import SurrealStore, opening, transport
from stratum_state.surreal.batch import COMMIT
from stratum_state.surreal.cbor import Id, Range
from stratum_state.surreal.replies import SurrealError
from stratum_state.surreal.transport import Transport

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
async def in_folder(path: Path) -> AsyncIterator[SurrealStore]:
    """The store in a folder."""
    async with opening.open_store(
        f"surrealkv://{path}", instance=INSTANCE, namespace="test", database="test"
    ) as store:
        yield store


async def ask(engine: Transport, query: str, **params: object) -> Sequence[object]:
    """The result of the last statement."""
    result = (await engine.call(query, params))[-1]
    return result if isinstance(result, list) else [result]


async def chains_hold(engine: Transport) -> bool:
    """Whether the rows of each lane's journal follow from one another, to its lease."""
    for lane in await ask(engine, "SELECT * FROM lease"):
        assert isinstance(lane, dict)
        name, prev, epoch = lane["id"].key, journal.ORIGIN, 0
        rows = await ask(
            engine, "SELECT * FROM $range", range=Id("journal", Range([name, None], [name, []]))
        )
        for row in rows:
            assert isinstance(row, dict)
            if row["prev"] != prev or journal.seal(prev, row["at"], row["body"]) != row["hash"]:
                return False
            if row["epoch"] < epoch:
                return False
            prev, epoch = row["hash"], row["epoch"]
        if prev != lane["hash"] or lane["mark"] != lane["seq"]:
            return False
    return True
