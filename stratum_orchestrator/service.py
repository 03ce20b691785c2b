"""The daemon as people ask it: the desk behind the API."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio

from platform_nats.errors import BrokerAway
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.errors import GraphError
from stratum_graph.generation import Generation
from stratum_graph.model import Plan, Principal
from stratum_orchestrator.api.desk import Check, Event, Instance, Outcome, Status
from stratum_orchestrator.api.news import News
from stratum_orchestrator.distribution.activation import Activations
from stratum_orchestrator.distribution.outlook import Outlook
from stratum_orchestrator.saga.attention import Attention, Needy, Watchlist
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.operations import Operations
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.restraint import Restraint
from stratum_orchestrator.saga.rules import Rules
from stratum_state.decision import DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.model import (
    Fact,
    JournalLine,
    PipelineRun,
    Trail,
    VerdictRecord,
    verdict_id,
)
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter
from stratum_state.tracker import StateTracker

_VERDICTS_KEPT = 4096

StoredTime = Callable[[int], Awaitable[int | None]]
"""Sequence in the event stream to when the stream stored it, in ms, if it is there.

Raises BrokerAway.
"""


Sharing = Callable[[], Awaitable[Sequence[Instance]]]
"""Who shares the database."""


Relay = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Has the broker store a signed event: subject, headers and payload to sequence."""


LookUp = Callable[[int], Awaitable[VerdictRecord | None]]
"""Finds the verdict on the event of a sequence on record. Raises BrokerAway."""


Sealing = Callable[[Principal, Event, str | None], Awaitable[Mapping[str, str]]]
"""Signs an event as a principal: its headers with the signature."""


class Verdicts:
    """The latest verdicts by sequence, and those who wait for one."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, VerdictRecord] = OrderedDict()
        self._news = anyio.Event()

    def observe(self, facts: Sequence[Fact]) -> None:
        """Take note of the verdicts among facts that have just become durable."""
        found = [fact for fact in facts if isinstance(fact, VerdictRecord)]
        for verdict in found:
            self._known[verdict.sequence] = verdict
        while len(self._known) > _VERDICTS_KEPT:
            self._known.popitem(last=False)
        if found:
            self._news.set()
            self._news = anyio.Event()

    async def find(
        self, sequence: int, within_s: float, look_up: LookUp
    ) -> VerdictRecord | None:
        """The verdict, from memory, from the record, or as soon as it is made within the time.

        Raises BrokerAway when the record cannot be asked and none is made meanwhile.
        """
        known = self._known.get(sequence)
        if known is not None:
            return known
        try:
            return await look_up(sequence) or await self.wait(sequence, within_s)
        except BrokerAway:
            if (made := await self.wait(sequence, within_s)) is None:
                raise
            return made

    async def wait(self, sequence: int, within_s: float) -> VerdictRecord | None:
        """The verdict, as soon as it is recorded; None when the time is up."""
        with anyio.move_on_after(within_s):
            while sequence not in self._known:
                await self._news.wait()
        return self._known.get(sequence)


class Reloading(Protocol):
    """What brings definitions into force."""

    diagnostics: tuple[Diagnostic, ...]
    latest: Outcome | None

    async def reload(self, reason: str) -> Outcome: ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """Reads go to the tracker, commands to the operations."""

    version: str
    instance: str
    started: int
    rules: Callable[[], Rules]
    tracker: StateTracker
    plans: Plans
    live: LiveRuns
    verdict_news: Verdicts
    news: News
    sharing: Sharing
    relay: Relay
    sealing: Sealing
    stored_time: StoredTime
    operations: Operations
    activations: Activations
    pipelines: Restraint
    hints: Outlook
    watchlist: Watchlist
    look: Callable[[], Sequence[Check]]
    reloading: Reloading

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        return await self.tracker.runs(wanted, after=after, limit=limit)

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        return await self.tracker.match(prefix, limit=limit)

    async def change(self, run_id: str, *, seen: int | None, within_s: float) -> int:
        _, number = await self.tracker.changed(run_id, -1 if seen is None else seen, within_s)
        return number

    async def trail(self, run_id: str) -> Trail | None:
        return await self.tracker.find(run_id)

    async def plan(self, digest: str) -> Plan | None:
        try:
            return self.plans.get(digest)
        except (GraphError, OSError):
            return None

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self.tracker.journal(run_id)

    async def evidence(self, run_id: str) -> Evidence | None:
        return await self.tracker.evidence(run_id)

    async def verdicts(
        self, wanted: VerdictFilter, *, after: str | None, limit: int
    ) -> Sequence[VerdictRecord]:
        return await self.tracker.verdicts(after=after, limit=limit, wanted=wanted)

    async def verdict(self, sequence: int, *, within_s: float) -> VerdictRecord | None:
        return await self.verdict_news.find(sequence, within_s, self._recorded)

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        return await self.tracker.decisions(wanted, after=after, limit=limit)

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        return await self.watchlist.needy(after=after, limit=limit)

    async def asking(self, *, after: str | None, limit: int) -> Sequence[Trail]:
        runs = await self.tracker.asking(after=after, limit=limit)
        found = [await self.tracker.find(each) for each in runs]
        return [each for each in found if each is not None]

    def attention(self, trail: Trail) -> Attention | None:
        return self.watchlist.of(trail)

    async def pass_on(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        return await self.relay(subject, headers, body)

    async def seal(
        self, who: Principal, event: Event, event_id: str | None
    ) -> Mapping[str, str]:
        return await self.sealing(who, event, event_id)

    async def instances(self) -> Sequence[Instance]:
        return await self.sharing()

    async def reload(self, wish: Wish) -> Outcome:
        self.hints.heard(None)  # where a bundle comes from is looked at as well
        return await self.reloading.reload(f"{wish.by}: {wish.reason}")

    def graph(self) -> Generation | None:
        return self.rules().generation

    def checks(self) -> Sequence[Check]:
        return self.look()

    def status(self) -> Status:
        return Status(
            version=self.version,
            instance=self.instance,
            started=self.started,
            generation=self.rules().generation.digest,
            diagnostics=tuple(self.reloading.diagnostics),
            reload=self.reloading.latest,
            live_runs=len(self.live),
            checks=tuple(self.look()),
        )

    async def _recorded(self, sequence: int) -> VerdictRecord | None:
        stored = await self.stored_time(sequence)
        if stored is None:
            return None
        return await self.tracker.verdict(verdict_id(stored, sequence))
