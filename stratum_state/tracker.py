"""State tracking: a fact is in the store first, in the cache second, and told third."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

import anyio

from stratum_state import moves
from stratum_state.activation import ActivationRecord
from stratum_state.checkpoint import Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.errors import IllegalMove, Rejected
from stratum_state.evidence import Evidence
from stratum_state.model import (
    Fact,
    JournalLine,
    PipelineRun,
    RunStatus,
    Trail,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord
from stratum_state.store import EVERY_VERDICT, DecisionFilter, RunFilter, Store, VerdictFilter

_LOOK_S = 0.25  # between looks at a run that another instance carries
_KEPT = 512  # runs that ended, or wait for people, stay readable without a query


def _silent(_facts: Sequence[Fact]) -> None:
    """Tell nobody."""


def _nobody(_trails: Sequence[Trail]) -> None:
    """Tell nobody."""


def _unmeasured(_seconds: float) -> None:
    """Measure nothing."""


def _unwatched(_moment: str, _facts: Sequence[Fact]) -> None:
    """Go on."""


@dataclass(slots=True)
class _Known:
    """One run of the cache: facts in the order of their latest moves, and how many moves."""

    facts: dict[moves.Place, Fact] = field(default_factory=dict)
    changes: int = 0

    def take(self, fact: Fact) -> bool:
        """Believe a durable fact; False when a later one about the same is here already."""
        where = moves.place(fact)
        try:
            news = bool(moves.changes(self.facts.get(where), fact))
        except (IllegalMove, Rejected):
            return False
        if news:
            self.facts.pop(where, None)
            self.facts[where] = fact
            self.changes += 1
        return news

    def trail(self) -> Trail | None:
        return Trail.of(self.facts.values())


@dataclass(slots=True)
class _Wait:
    """Those who wait for a run to change."""

    event: anyio.Event = field(default_factory=anyio.Event)
    waiting: int = 0


def _foreign(trail: Trail) -> _Known:
    """A run as it is in another instance's hands: its number is that of the state it is in."""
    facts = trail.facts
    states = [(moves.place(each), str(each.status)) for each in facts]
    return _Known({moves.place(each): each for each in facts}, crc32(repr(states).encode()))


class StateTracker:
    """The one door to recorded state.

    The store judges moves in the order in which they are handed over, so of two moves that
    exclude each other one raises IllegalMove. The cache believes only what is durable.
    """

    def __init__(
        self,
        store: Store,
        told: Callable[[Sequence[Fact]], None] = _silent,
        timed: Callable[[float], None] = _unmeasured,
        passed: Callable[[str, Sequence[Fact]], None] = _unwatched,
    ) -> None:
        """`timed` is told how many seconds each write took to become durable.

        `passed` is called `before` facts are written, and when they are `durable`,
        `believed` and `told`.
        """
        self._store = store
        self._told = told
        self._timed = timed
        self._passed = passed
        self._live: dict[str, _Known] = {}
        self._ended: OrderedDict[str, _Known] = OrderedDict()
        self._waits: dict[str, _Wait] = {}
        self._missed = 0
        """Facts about runs that the cache does not know."""
        self.told_of_adoption: Callable[[Sequence[Trail]], None] = _nobody
        """Is given the runs that come from elsewhere, or from an earlier life."""

    async def record(self, *facts: Fact) -> None:
        """Return when the facts are durable, together. Cannot be cancelled half-way.

        Raises what `Store.write` raises; the cache is then as it was.
        """
        with anyio.CancelScope(shield=True):
            began = anyio.current_time()
            self._passed("before", facts)
            await self._store.write(facts)
            self._passed("durable", facts)
            self._timed(anyio.current_time() - began)
            news = tuple(fact for fact in facts if not self._is_remark(fact))
            for fact in facts:
                self._believe(fact)
            self._passed("believed", facts)
            self._told(news)
            self._passed("told", facts)

    async def open(self, verdict: VerdictRecord, runs: Sequence[PipelineRun]) -> None:
        """Record a verdict and the runs that it accepted, together."""
        await self.record(*runs, verdict)

    def knows(self, run_id: str) -> bool:
        """Whether the run is in the cache."""
        return self._known(run_id) is not None

    def trail(self, run_id: str) -> Trail | None:
        """The run as the cache knows it: every live one, and those that came to rest lately."""
        known = self._known(run_id)
        return known.trail() if known else None

    async def find(self, run_id: str) -> Trail | None:
        """The run, from the cache or else from the store."""
        known = self._known(run_id) or await self._fetch(run_id)
        return known.trail() if known else None

    async def changed(
        self, run_id: str, seen: int, within_s: float
    ) -> tuple[Trail | None, int]:
        """The run and its change counter as soon as that is not `seen`, or the time is up.

        The counter begins anew when the process does, so a different one is news too.
        """
        known = self._known(run_id) or await self._fetch(run_id)
        with anyio.move_on_after(within_s), self._waiting(run_id) as wait:
            while (known.changes if known else 0) == seen:
                is_ours = self._known(run_id) is not None
                with anyio.move_on_after(math.inf if is_ours else _LOOK_S):
                    await wait.event.wait()
                known = self._known(run_id) or await self._fetch(run_id)
        return (known.trail(), known.changes) if known else (None, 0)

    async def recover(self) -> Sequence[Trail]:
        """Fill the cache with every run of ours that is not over, oldest first."""
        trails = await self._store.unfinished()
        self.adopt(trails)
        return trails

    def adopt(self, trails: Sequence[Trail]) -> None:
        """Take runs that are ours from now on into the cache."""
        for trail in trails:
            self._remember(trail)
        self.told_of_adoption(trails)

    def release(self, run_id: str) -> None:
        """Forget a run that turns out to be another instance's."""
        self._live.pop(run_id, None)
        self._ended.pop(run_id, None)

    async def asking(self, *, after: str | None, limit: int) -> Sequence[str]:
        """Runs of which a question is open, newest first, beginning behind the id `after`."""
        return await self._store.asking(after=after, limit=limit)

    async def due(self) -> Sequence[PipelineRun]:
        """Our runs of which something is to be published, and is not known to be."""
        return await self._store.due()

    async def owed(self) -> Sequence[CredentialLease]:
        """What was lent to our runs and is neither taken back nor at its end."""
        return await self._store.owed()

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        """Identity to run id, for those that have a run."""
        return await self._store.inbox(identities)

    async def activations(self, *, limit: int) -> Sequence[ActivationRecord]:
        """Which bundles came into force, newest first."""
        return await self._store.activations(limit=limit)

    async def standings(self) -> Sequence[StandingRecord]:
        """How pipelines stand that are or were held back: the latest of each, newest first."""
        return await self._store.standings()

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """What the policies said to commands, newest first, beginning behind `after`."""
        return await self._store.decisions(wanted, after=after, limit=limit)

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        return await self._store.verdict(verdict_id)

    async def verdicts(
        self, *, after: str | None, limit: int, wanted: VerdictFilter = EVERY_VERDICT
    ) -> Sequence[VerdictRecord]:
        """Newest first, beginning behind the id `after`."""
        return await self._store.verdicts(after=after, limit=limit, wanted=wanted)

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        """Newest first, beginning behind the id `after`."""
        return await self._store.runs(wanted, after=after, limit=limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        """Run ids that begin with the prefix, or whose hash part does, newest first."""
        return await self._store.match(prefix, limit=limit)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._store.journal(run_id)

    async def evidence(self, run_id: str) -> Evidence | None:
        """All that is on record of a run, for its audit."""
        return await self._store.evidence(run_id)

    def _believe(self, fact: Fact) -> None:
        if isinstance(fact, moves.LONELY):
            return
        run_id = moves.chain(fact)
        known = self._known(run_id)
        begins = isinstance(fact, PipelineRun) and fact.status is RunStatus.ACCEPTED
        if known is None and begins:
            known = _Known()
        if known is None:
            self._missed += 1  # of a run that ended long ago: the next reader fetches it whole
        elif known.take(fact):
            self._file(run_id, known)
            wait = self._waits.get(run_id)
            if wait is not None:
                wait.event.set()
                wait.event = anyio.Event()

    def _is_remark(self, fact: Fact) -> bool:
        """Whether it leaves the thing where it is: nothing that listeners need to hear."""
        if not isinstance(fact, PipelineRun | Checkpoint):
            return False
        known = self._known(moves.chain(fact))
        before = known.facts.get(moves.place(fact)) if known else None
        if not isinstance(before, PipelineRun | Checkpoint):
            return False
        return before != fact and before.status is fact.status

    def _known(self, run_id: str) -> _Known | None:
        return self._live.get(run_id) or self._ended.get(run_id)

    async def _fetch(self, run_id: str) -> _Known | None:
        while True:
            missed = self._missed
            trail = await self._store.trail(run_id)
            known = self._known(run_id)
            if known is not None or trail is None:
                return known
            if not trail.run.is_over or trail.run.is_unresolved:
                # maybe another instance's, which alone knows how it goes on
                return _foreign(trail)
            if missed == self._missed:  # else what was read may be older than what went by
                return self._remember(trail)

    def _remember(self, trail: Trail) -> _Known:
        facts = trail.facts
        known = _Known({moves.place(each): each for each in facts}, len(facts))
        self._file(trail.run.id, known)
        return known

    def _file(self, run_id: str, known: _Known) -> None:
        run = known.facts.get(("run",))
        rests = isinstance(run, PipelineRun) and (
            run.is_over or run.status is RunStatus.SUSPENDED
        )
        if not rests:
            self._live[run_id] = known
            return
        self._live.pop(run_id, None)
        self._ended[run_id] = known
        self._ended.move_to_end(run_id)
        while len(self._ended) > _KEPT:
            self._ended.popitem(last=False)

    @contextmanager
    def _waiting(self, run_id: str) -> Iterator[_Wait]:
        wait = self._waits.setdefault(run_id, _Wait())
        wait.waiting += 1
        try:
            yield wait
        finally:
            wait.waiting -= 1
            if not wait.waiting:
                del self._waits[run_id]
