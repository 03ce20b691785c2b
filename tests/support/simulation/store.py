"""The store as one life meets it: slow, sometimes away, sometimes unclear."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn, TypeVar

import anyio

from stratum_orchestrator.audit.observed import Commit
from stratum_state import moves
from stratum_state.errors import StateError, Unavailable
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.store import RunFilter
from support.simulation.world import Life, Port, World

T = TypeVar("T")
_AWAY = "the simulated store is away"


class SimulatedStore(Port):
    """A connection to the shared memory. A write that fails takes the connection with it."""

    def __init__(self, world: World, life: Life) -> None:
        super().__init__(world, life)
        self._store = world.store
        self._broken = anyio.Event()

    async def failure(self) -> NoReturn:
        """Raise what broke the connection, as soon as something does."""
        await self._broken.wait()
        await self.pass_time(0.2)
        raise Unavailable(_AWAY)

    async def write(self, facts: Sequence[Fact]) -> None:
        about = " ".join(f"{moves.name(each)} {moves.kind(each)}" for each in facts)
        await self.cross("store write begins", about)
        breaks = self.world.happens(self.world.faults.store_breaks)
        if breaks and not self.world.happens(self.world.faults.unclear):
            self._break("store broke before the commit")
        await self._arrive(facts)
        await self.cross("store has committed", about)
        await self.pass_time(self.world.faults.slow_s)
        if breaks:
            self._break("store broke after the commit")
        self._check()
        await self.cross("store write ends", about)

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        return await self._read("inbox", await self._store.inbox(identities))

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        return await self._read("verdict", await self._store.verdict(verdict_id))

    async def verdicts(self, *, after: str | None, limit: int) -> Sequence[VerdictRecord]:
        return await self._store.verdicts(after=after, limit=limit)

    async def trail(self, run_id: str) -> Trail | None:
        return await self._read("trail", await self._store.trail(run_id))

    async def unfinished(self) -> Sequence[Trail]:
        return await self._read("unfinished", await self._store.unfinished())

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self._store.runs(wanted, after=after, limit=limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self._store.match(prefix, limit=limit)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._store.journal(run_id)

    async def _arrive(self, facts: Sequence[Fact]) -> None:
        """Become durable after a while, or in spite of a kill, or never."""
        ticket = object()
        self.life.last_things[ticket] = lambda: self._commit_late(facts)
        await self.pass_time(self.world.faults.slow_s)
        self._check()
        del self.life.last_things[ticket]
        await self._store.write(facts)
        self._log(facts)

    def _commit_late(self, facts: Sequence[Fact]) -> None:
        with suppress(StateError, StopIteration):
            self._store.write(facts).send(None)  # it never waits
        self.world.seen["committed after the kill"] += 1
        self._log(facts)

    def _log(self, facts: Sequence[Fact]) -> None:
        for each in facts:
            if not isinstance(each, VerdictRecord):
                self.world.commits.append(Commit(run=moves.chain(each), epoch=self.life.number))

    async def _read(self, what: str, found: T) -> T:
        await self.cross(f"store read {what}")
        await self.pass_time(self.world.faults.slow_s)
        self._check()
        if self.world.happens(self.world.faults.unreadable):
            self.world.seen["store could not be read"] += 1
            raise Unavailable(_AWAY)
        return found

    def _break(self, how: str) -> NoReturn:
        self.world.seen[how] += 1
        self._broken.set()
        self._check()
        raise AssertionError

    def _check(self) -> None:
        if self._broken.is_set():
            raise Unavailable(_AWAY)
