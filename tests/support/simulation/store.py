"""The store as one life meets it: slow, sometimes away, sometimes unclear."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn, TypeVar

import anyio

from stratum_orchestrator.audit.observed import Commit
from stratum_state import moves
from stratum_state.activation import ActivationRecord
from stratum_state.decision import DecisionRecord
from stratum_state.errors import Fenced, StateError, Unavailable
from stratum_state.evidence import Evidence
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import StandingRecord
from stratum_state.store import EVERY_VERDICT, DecisionFilter, RunFilter, VerdictFilter
from support.simulation.lanes import TTL_S, Lane, Lanes
from support.simulation.world import Life, Port, World

T = TypeVar("T")
_AWAY = "the simulated store is away"


class SimulatedStore(Port):
    """A connection to the shared memory. A write that fails takes the connection with it."""

    def __init__(self, world: World, life: Life, lanes: Lanes) -> None:
        super().__init__(world, life)
        self._store = world.store
        self._lanes = lanes
        self._epochs: dict[str, int] = {}
        """Of the lanes that we took, which somebody else may have taken since."""
        self._primary: Lane | None = None
        self._broken = anyio.Event()
        self._failure: StateError = Unavailable(_AWAY)

    @property
    def is_broken(self) -> bool:
        """Whether its daemon is about to end of it."""
        return self._broken.is_set()

    @property
    def is_owner(self) -> bool:
        """Whether it has all that it takes for its own, with nothing taken unnoticed."""
        return all(lane.epoch == epoch for lane, epoch in self._ours())

    async def open(self) -> None:
        """Take a lane for what is new."""
        await self.cross("lane is claimed")
        self._primary = self._lanes.claim(self.life)
        self._epochs[self._primary.name] = self._primary.epoch
        await self.cross("lane was claimed", self._primary.name)

    async def failure(self) -> NoReturn:
        """Raise what broke the connection, as soon as something does."""
        await self._broken.wait()
        await self.pass_time(0.2)
        raise self._failure

    async def beat(self) -> NoReturn:
        """Be heard of, until another one has a lane of ours."""
        while True:
            for lane in self._lanes.held(self.life):
                lane.heard = self.world.loop.time()
            for lane, epoch in self._ours():
                if lane.epoch != epoch:
                    self._break("fenced", Fenced(lane.name, epoch))
            await anyio.sleep(TTL_S / 3)

    async def close(self) -> None:
        """Give all lanes back."""
        for lane, epoch in self._ours():
            if lane.epoch == epoch:
                lane.owner = None

    async def expired(self) -> Sequence[str]:
        found = self._lanes.expired(self.life)
        return await self._read("expired", [each.name for each in found])

    async def adopt(self, lane: str) -> Sequence[Trail]:
        await self.cross("lane is adopted", lane)
        taken = self._lanes.adopt(lane, self.life)
        if taken is None:
            return ()
        self._epochs[lane] = taken.epoch
        await self.cross("lane was adopted", lane)
        return await self._trails(self._lanes.unfinished([taken]))

    async def orphan(self, run_id: str) -> str | None:
        found = self._lanes.orphan(run_id, self.life)
        return await self._read("orphan", found and found.name)

    async def holds(self, run_id: str) -> bool:
        return await self._read("holds", self._lanes.owns(self.life, run_id))

    async def release_idle(self) -> Sequence[str]:
        released: list[str] = []
        for lane in self._lanes.held(self.life):
            if lane is not self._primary and not self._lanes.unfinished([lane]):
                await self.cross("lane is given back", lane.name)
                if lane.owner is self.life and not self._lanes.unfinished([lane]):
                    lane.owner = None
                    del self._epochs[lane.name]
                    released += self._lanes.runs(lane)
        return released

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

    async def verdicts(
        self, *, after: str | None, limit: int, wanted: VerdictFilter = EVERY_VERDICT
    ) -> Sequence[VerdictRecord]:
        return await self._store.verdicts(after=after, limit=limit, wanted=wanted)

    async def activations(self, *, limit: int) -> Sequence[ActivationRecord]:
        return await self._store.activations(limit=limit)

    async def standings(self) -> Sequence[StandingRecord]:
        return await self._store.standings()

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        return await self._store.decisions(wanted, after=after, limit=limit)

    async def trail(self, run_id: str) -> Trail | None:
        return await self._read("trail", await self._store.trail(run_id))

    async def unfinished(self) -> Sequence[Trail]:
        ours = self._lanes.unfinished(self._lanes.held(self.life))
        return await self._read("unfinished", await self._trails(ours))

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self._store.runs(wanted, after=after, limit=limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self._store.match(prefix, limit=limit)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._store.journal(run_id)

    async def asking(self, *, after: str | None, limit: int) -> Sequence[str]:
        return await self._store.asking(after=after, limit=limit)

    async def due(self) -> Sequence[PipelineRun]:
        return await self._store.due()

    async def evidence(self, run_id: str) -> Evidence | None:
        return await self._store.evidence(run_id)

    async def _arrive(self, facts: Sequence[Fact]) -> None:
        """Become durable after a while, or in spite of a kill, or never."""
        ticket = object()
        self.life.last_things[ticket] = lambda: self._commit_late(facts)
        try:
            await self.pass_time(self.world.faults.slow_s)
            self._check()
        finally:
            if self.life.alive:
                del self.life.last_things[ticket]
        try:
            await self._commit(facts)
        except Fenced as fenced:
            self._break("fenced", fenced)

    async def _commit(self, facts: Sequence[Fact]) -> None:
        assert self._primary is not None
        lane = self._lanes.lane_of(facts, self._primary)
        self._lanes.check(facts, lane, self._epochs.get(lane.name))
        await self._store.write(facts)
        self._lanes.note(facts, lane)
        for each in facts:
            if not isinstance(each, VerdictRecord):
                self.world.commits.append(Commit(run=moves.chain(each), epoch=lane.epoch))

    def _commit_late(self, facts: Sequence[Fact]) -> None:
        if self.life.alive:  # only paused: what it has not sent yet has to wait
            return
        with suppress(StateError, StopIteration):
            self._commit(facts).send(None)  # it never waits
        self.world.seen["committed after the kill"] += 1

    def _ours(self) -> list[tuple[Lane, int]]:
        lanes = self._lanes.every
        return [(each, self._epochs[each.name]) for each in lanes if each.name in self._epochs]

    async def _trails(self, runs: Sequence[str]) -> Sequence[Trail]:
        found = [await self._store.trail(each) for each in runs]
        return [each for each in found if each is not None]

    async def _read(self, what: str, found: T) -> T:
        await self.cross(f"store read {what}")
        await self.pass_time(self.world.faults.slow_s)
        self._check()
        if self.world.happens(self.world.faults.unreadable):
            self.world.seen["store could not be read"] += 1
            raise Unavailable(_AWAY)
        return found

    def _break(self, how: str, failure: StateError | None = None) -> NoReturn:
        if not self._broken.is_set():
            self.world.seen[how] += 1
            self._failure = failure or self._failure
            self._broken.set()
        raise self._failure

    def _check(self) -> None:
        if self._broken.is_set():
            raise self._failure
