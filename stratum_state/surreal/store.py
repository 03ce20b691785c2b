"""The store on SurrealDB: writes go through the lane, reads beside it."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from stratum_state.ledger import Ledger
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.store import RunFilter
from stratum_state.surreal import reader
from stratum_state.surreal.lane import Lane
from stratum_state.surreal.reader import Reader


class SurrealStore:
    """Durable memory. Open it with `open_store`."""

    def __init__(self, lane: Lane, ledger: Ledger, beside: Reader) -> None:
        self._lane = lane
        self._ledger = ledger
        self._reader = beside

    async def write(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        unknown = self._ledger.unknown(facts)
        if unknown:
            self._ledger.enter(await self._reader.known(unknown))
        await self._lane.add(facts).wait()

    async def failure(self) -> NoReturn:
        """Raise what makes this store useless, as soon as something does."""
        await self._lane.failure()

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        return await self._reader.inbox(identities)

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        return await self._reader.verdict(verdict_id)

    async def verdicts(self, *, after: str | None, limit: int) -> Sequence[VerdictRecord]:
        return await self._reader.verdicts(after, limit)

    async def trail(self, run_id: str) -> Trail | None:
        return await self._reader.trail(run_id)

    async def unfinished(self) -> Sequence[Trail]:
        found = await self._reader.unfinished()
        for rows in found:
            self._ledger.enter(rows)
        return [trail for rows in found if (trail := reader.trail(rows)) is not None]

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self._reader.runs(wanted, after, limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self._reader.match(prefix, limit)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._reader.journal(run_id)
