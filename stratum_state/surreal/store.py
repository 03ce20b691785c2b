"""The store on SurrealDB: writes go through lanes, reads beside them."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple, NoReturn

import anyio

from stratum_state.activation import ActivationRecord
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.errors import Unavailable
from stratum_state.evidence import Evidence
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import StandingRecord
from stratum_state.store import EVERY_VERDICT, DecisionFilter, RunFilter, VerdictFilter
from stratum_state.surreal import lease, reader, replies
from stratum_state.surreal.compaction import Compacted
from stratum_state.surreal.lanes import Held, Lanes
from stratum_state.surreal.lease import Claimant
from stratum_state.surreal.reader import Kept, Reader
from stratum_state.surreal.renewal import Renewable
from stratum_state.surreal.retention import Collected, Collector, Terms
from stratum_state.surreal.silence import Silence
from stratum_state.surreal.transport import Transport

_PROMPT = 4  # answers take no longer than this part of the time that one may be silent


class Owner(NamedTuple):
    """Who has the lane of a run."""

    lane: str
    instance: str
    """Empty when its last owner gave it back."""
    is_ours: bool


def unwatched(_point: str) -> None:
    """Go on."""


class SurrealStore:
    """Durable memory. Open it with `open_store`."""

    def __init__(
        self,
        connection: Transport,
        lanes: Lanes,
        beside: Reader,
        claimant: Claimant,
        passed: Callable[[str], None] = unwatched,
    ) -> None:
        self._connection = connection
        self._lanes = lanes
        self._reader = beside
        self._claimant = claimant
        self._passed = passed
        self._silence = Silence()
        self._slow_at = -math.inf
        """When the database was last found to be slow, on the clock of the event loop."""

    @property
    def lane(self) -> str:
        """The lane of the runs that begin here."""
        return self._lanes.primary.name

    @property
    def lanes(self) -> Sequence[str]:
        """The lanes that we hold, the one of new runs first."""
        return tuple(self._lanes.held)

    @property
    def available(self) -> bool:
        """Whether the database is there. While it is not, writes wait and reads fail."""
        return self._connection.is_up and not self._lanes.are_waiting

    async def write(self, facts: Sequence[Fact]) -> None:
        """As `Store.write`; NotOurs for facts of a run whose lane another instance holds."""
        if facts:
            await self._lanes.write(facts)

    async def failure(self) -> NoReturn:
        """Raise what makes this store useless, as soon as something does."""
        await self._lanes.failure()

    def hurry(self, within_s: float) -> None:
        """Let what waits for a database that is away fail in so many seconds."""
        self._lanes.patience.end(within_s)

    async def expired(self) -> Sequence[str]:
        """The lanes to adopt: their owners are silent, or left unfinished runs to others."""
        return [
            each.lane
            for each in await self._orphaned()
            if not each.is_free or await self._reader.has_unfinished(each.lane)
        ]

    async def orphan(self, run_id: str) -> str | None:
        """The lane of the run, if it can be adopted; None when an instance has it."""
        lane = await self._reader.lane(run_id)
        orphaned = [each.lane for each in await self._orphaned()]
        return lane if lane in orphaned else None

    async def holds(self, run_id: str) -> bool:
        """Whether the lane of the run is ours."""
        held = self._lanes.held.get(await self._reader.lane(run_id) or "")
        return held is not None and not held.is_borrowed

    async def adopt(self, lane: str) -> Sequence[Trail]:
        """Take the lane over, and fence its former owner; its unfinished runs, oldest first.

        Nothing happens when somebody else was faster, or its owner is heard of again: then
        it is not among `lanes`.
        """
        seen = next((each for each in await self.seen() if each.lane == lane), None)
        if seen is None or lane in self._lanes.held or not self._is_left(seen):
            return ()
        taken = await self._take(seen)
        if taken is None:
            return ()
        self._passed("takeover.leased")
        unfinished = await self._reader.unfinished(lane)
        self._lanes.open(taken, [*unfinished, *await self._left(lane)])
        return _trails(unfinished)

    async def release_idle(self) -> Sequence[str]:
        """Give back the adopted lanes whose runs are all over; those that we knew of them."""
        idle = self._lanes.idle
        for each in idle:
            await self._lanes.give_back(each)
        return [run.id for each in idle for run in each.ledger.runs()]

    async def collect(self, before_ms: int, limit: int, *, dry_run: bool = False) -> Collected:
        """Forget what ended before a time (Unix milliseconds), so many of each kind.

        It is about our lanes, and those that nobody has. Call again until nothing is left. No
        event from before that time should be delivered any more: it would start its run again.
        With `dry_run` it is only counted.
        """
        ours = self._lanes.held
        async with AsyncExitStack() as borrowed:
            writers = {name: None if dry_run else ours[name].writer for name in ours}
            for each in await self.seen():
                if each.lane in writers or not each.is_free:
                    continue
                held = (
                    None
                    if dry_run
                    else await borrowed.enter_async_context(self._borrowed(each))
                )
                if held or dry_run:
                    writers[each.lane] = held.writer if held else None
            terms = Terms(before_ms, limit)
            collector = Collector(self._reader, writers, terms, self._passed)
            return await collector.collect()

    async def renew(self, waste: int) -> Compacted | None:
        """Compact an embedded store that has so many bytes in it which are of no use.

        None when that was not necessary, or not possible; the log says so. Whoever uses the
        store meanwhile waits. Raises DiskFailed when it cannot go on afterwards.
        """
        if isinstance(self._connection, Renewable):
            return await self._connection.renew(waste, self._passed)
        return None

    async def plans(self, since_ms: int = 0) -> AbstractSet[str]:
        """The digests of the plans of all runs, but those that ended before a time."""
        return await self._reader.plans(since_ms)

    async def owner(self, run_id: str) -> Owner | None:
        """Who has the run's lane; None when there is no such run."""
        lane = await self._reader.lane(run_id)
        if lane is None:
            return None
        if lane in self._lanes.held:
            return Owner(lane, self._claimant.instance, is_ours=True)
        seen = next((each for each in await self.seen() if each.lane == lane), None)
        instance = seen.instance if seen and not seen.is_free else ""
        return Owner(lane, instance, is_ours=False)

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        return await self._reader.inbox(identities)

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        return await self._reader.verdict(verdict_id)

    async def verdicts(
        self, *, after: str | None, limit: int, wanted: VerdictFilter = EVERY_VERDICT
    ) -> Sequence[VerdictRecord]:
        return await self._reader.listing.verdicts(wanted, after, limit)

    async def activations(self, *, limit: int) -> Sequence[ActivationRecord]:
        return await self._reader.activations(limit)

    async def standings(self) -> Sequence[StandingRecord]:
        return await self._reader.standings()

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        return await self._reader.listing.decisions(wanted, after, limit)

    async def trail(self, run_id: str) -> Trail | None:
        return await self._reader.trail(run_id)

    async def unfinished(self) -> Sequence[Trail]:
        """Every run of our lanes that is not over, oldest first."""
        found = [kept for lane in self.lanes for kept in await self._reader.unfinished(lane)]
        for kept in found:
            held = self._lanes.held.get(kept.lane)
            if held is not None:
                held.ledger.enter(kept.rows)
        return sorted(_trails(found), key=lambda each: each.run.id, reverse=True)

    async def asking(self, *, after: str | None, limit: int) -> Sequence[str]:
        return await self._reader.asking(after or "", limit)

    async def due(self) -> Sequence[PipelineRun]:
        """The runs of our lanes of which something is still to be published."""
        found: list[PipelineRun] = []
        for lane in self.lanes:
            for kept in await self._reader.due(lane):
                held = self._lanes.held.get(lane)
                if held is not None:
                    held.ledger.enter(kept.rows)
                runs = (row.fact for row in kept.rows)
                found += [each for each in runs if isinstance(each, PipelineRun)]
        return found

    async def _left(self, lane: str) -> Sequence[Kept]:
        """What is left to be done for runs of the lane that are over."""
        return [*await self._reader.due(lane), *await self._reader.indebted(lane)]

    async def owed(self) -> Sequence[CredentialLease]:
        """What was lent to the runs of our lanes, and nobody has taken back."""
        found: list[CredentialLease] = []
        for lane in self.lanes:
            for kept in await self._reader.indebted(lane):
                held = self._lanes.held.get(lane)
                if held is not None:
                    held.ledger.enter(kept.rows)
                leases = (row.fact for row in kept.rows)
                found += [each for each in leases if isinstance(each, CredentialLease)]
        return [each for each in found if not each.is_over]

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self._reader.listing.runs(wanted, after, limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self._reader.match(prefix, limit)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._reader.journal(run_id)

    async def evidence(self, run_id: str) -> Evidence | None:
        return await self._reader.evidence(run_id)

    async def _orphaned(self) -> Sequence[lease.Seen]:
        """The lanes that others gave back, or were silent about for too long.

        Nobody is taken for silent before the database has been there, and quick to answer,
        for as long as that takes: when it comes back, everybody seems to have been silent.
        """
        ttl_s = self._claimant.ttl_s
        asked = anyio.current_time()
        seen = await self.seen()  # which may have connected anew
        now = anyio.current_time()
        if now - asked > ttl_s / _PROMPT:
            self._slow_at = now
        is_known = now - max(self._connection.up_since, self._slow_at) >= ttl_s
        self._silence.look(seen, now)
        others = [each for each in seen if each.lane not in self._lanes.held]
        return [each for each in others if each.is_free or (is_known and self._is_left(each))]

    def _is_left(self, lane: lease.Seen) -> bool:
        """Whether its owner gave it back, or was not heard of for too long."""
        silent_s = self._silence.of(lane, anyio.current_time())
        return lane.is_free or silent_s >= self._claimant.ttl_s

    @asynccontextmanager
    async def _borrowed(self, lane: lease.Seen) -> AsyncIterator[Held | None]:
        """A free lane for a while; None when it is not to be had, or has runs to be adopted."""
        if await self._reader.has_unfinished(lane.lane):
            yield None
            return
        taken = await self._take(lane)
        if taken is None:
            yield None
            return
        held = self._lanes.open(taken, is_borrowed=True)
        self._passed("retention.lane")
        try:
            yield held
        finally:
            await self._lanes.give_back(held)

    async def _take(self, lane: lease.Seen) -> lease.Lease | None:
        try:
            return await lease.take(self._connection, lane, self._claimant.instance)
        except replies.SurrealError as error:
            raise Unavailable(str(error)) from error

    async def seen(self) -> Sequence[lease.Seen]:
        """Every lane there is, the lowest first, and who has it."""
        try:
            return await lease.seen(self._connection)
        except replies.SurrealError as error:
            raise Unavailable(str(error)) from error


def _trails(found: Sequence[Kept]) -> list[Trail]:
    trails = (reader.trail(kept.rows) for kept in found)
    return [each for each in trails if each is not None]
