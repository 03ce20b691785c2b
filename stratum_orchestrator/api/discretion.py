"""The desk as one visitor may see it: what the policies do not show is not there."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from stratum_graph.generation import Generation
from stratum_graph.model import Plan, Principal
from stratum_orchestrator.api.desk import (
    Activations,
    Check,
    Desk,
    Event,
    Hints,
    Instance,
    Operations,
    Outcome,
    Pipelines,
    Status,
)
from stratum_orchestrator.api.news import News
from stratum_orchestrator.api.visitor import VISITOR, Reception, Visitor
from stratum_orchestrator.saga.attention import Attention, Needy
from stratum_orchestrator.saga.instruction import Wish
from stratum_state.activation import ActivationRecord
from stratum_state.decision import DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import StandingRecord
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter

T = TypeVar("T")

SCANNED = 10_000
"""Records that are looked through for those that a visitor may see."""
_PAGE = 200
_CANDIDATES = 20  # runs whose ids begin alike


class Discreet:
    """A desk in front of the desk. Who asks is the visitor of the request in hand."""

    def __init__(self, desk: Desk, reception: Reception) -> None:
        self._desk = desk
        self._reception = reception

    @property
    def operations(self) -> Operations:
        """These ask the policies themselves."""
        return self._desk.operations

    @property
    def activations(self) -> Activations:
        """Whoever may view the daemon may view these; changes ask the policies themselves."""
        return self._desk.activations

    @property
    def pipelines(self) -> Pipelines:
        """Likewise."""
        return self._desk.pipelines

    @property
    def hints(self) -> Hints:
        return self._desk.hints

    @property
    def news(self) -> News:
        return self._desk.news

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        sight = self._sight()
        return await _sifted(
            lambda after, limit: self._desk.runs(wanted, after=after, limit=limit),
            (sight.run, lambda run: run.id),
            after,
            limit,
        )

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        found = await self._desk.match(prefix, limit=max(limit, _CANDIDATES))
        is_named = len(found) == 1  # what begins like several is none of them
        return [each for each in found if await self._shown(each, named=is_named)][:limit]

    async def change(self, run_id: str, *, seen: int | None, within_s: float) -> int:
        return await self._desk.change(run_id, seen=seen, within_s=within_s)

    async def trail(self, run_id: str) -> Trail | None:
        return await self._shown(run_id, named=True)

    async def plan(self, digest: str) -> Plan | None:
        return await self._desk.plan(digest)

    async def journal(self, run_id: str) -> Sequence[JournalLine]:
        return await self._desk.journal(run_id) if await self.trail(run_id) else ()

    async def evidence(self, run_id: str) -> Evidence | None:
        return await self._desk.evidence(run_id) if await self.trail(run_id) else None

    async def verdicts(
        self, wanted: VerdictFilter, *, after: str | None, limit: int
    ) -> Sequence[VerdictRecord]:
        sight = self._sight()
        return await _sifted(
            lambda after, limit: self._desk.verdicts(wanted, after=after, limit=limit),
            (sight.verdict, lambda verdict: verdict.id),
            after,
            limit,
        )

    async def verdict(self, sequence: int, *, within_s: float) -> VerdictRecord | None:
        found = await self._desk.verdict(sequence, within_s=within_s)
        return found if found is not None and self._sight().verdict(found) else None

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        return await self._desk.decisions(wanted, after=after, limit=limit)

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        sight = self._sight()
        return await _sifted(
            lambda after, limit: self._desk.needy(after=after, limit=limit),
            (lambda each: sight.run(each.run), lambda each: each.run.id),
            after,
            limit,
        )

    async def asking(self, *, after: str | None, limit: int) -> Sequence[Trail]:
        sight = self._sight()
        return await _sifted(
            lambda after, limit: self._desk.asking(after=after, limit=limit),
            (lambda each: sight.run(each.run), lambda each: each.run.id),
            after,
            limit,
        )

    def attention(self, trail: Trail) -> Attention | None:
        return self._desk.attention(trail)

    async def pass_on(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        return await self._desk.pass_on(subject, headers, body)

    async def seal(
        self, who: Principal, event: Event, event_id: str | None
    ) -> Mapping[str, str]:
        return await self._desk.seal(who, event, event_id)

    async def instances(self) -> Sequence[Instance]:
        return await self._desk.instances()

    async def reload(self, wish: Wish) -> Outcome:
        return await self._desk.reload(wish)

    def graph(self) -> Generation | None:
        return self._desk.graph()

    def checks(self) -> Sequence[Check]:
        return self._desk.checks()

    def status(self) -> Status:
        return self._desk.status()

    def sees(self, fact: Fact) -> bool:
        sight = self._sight()
        match fact:
            case PipelineRun():
                return sight.run(fact)
            case VerdictRecord():
                return sight.verdict(fact)
            case ActivationRecord() | StandingRecord() | DecisionRecord():
                return sight.daemon
            case _:  # only told to who has seen its run, as long as they are anybody
                return sight.is_welcome

    async def _shown(self, run_id: str, *, named: bool) -> Trail | None:
        found = await self._desk.trail(run_id)
        if found is None or not self._sight().run(found.run, named=named):
            return None
        return found

    def _sight(self) -> "_Sight":
        return _Sight(self._reception, VISITOR.get())


class _Sight:
    """What one visitor may see now; each question is asked once."""

    def __init__(self, reception: Reception, visitor: Visitor | None) -> None:
        self._reception = reception
        self._visitor = visitor
        self._known: dict[tuple[str, ...], bool] = {}

    @property
    def is_welcome(self) -> bool:
        return self._visitor is not None and self._reception.is_welcome(self._visitor)

    @property
    def daemon(self) -> bool:
        return self._may_view("", {})

    def run(self, run: PipelineRun, *, named: bool = False) -> bool:
        """Whether it may be seen; `named` says that it was asked for, and not a list."""
        about = self._reception.about(run)
        return self._may_view(run.pipeline, about, run.id if named else None)

    def verdict(self, verdict: VerdictRecord) -> bool:
        return self._may_view("", self._reception.about(verdict))

    def _may_view(
        self, pipeline: str, about: Mapping[str, str], run: str | None = None
    ) -> bool:
        if self._visitor is None:
            return False
        key = (pipeline, *(f"{name}={about[name]}" for name in sorted(about)))
        if key not in self._known:
            decision = self._reception.ask(self._visitor, "view", pipeline, about, run)
            self._known[key] = decision.allowed
        return self._known[key]


async def _sifted(
    page_of: Callable[[str | None, int], Awaitable[Sequence[T]]],
    eyes: tuple[Callable[[T], bool], Callable[[T], str]],
    after: str | None,
    limit: int,
) -> Sequence[T]:
    """So many that are seen, page after page; `eyes` are what is seen, and its cursor."""
    is_seen, cursor = eyes
    found: list[T] = []
    for turn in range(SCANNED // _PAGE):
        size = max(limit, _PAGE) if turn else limit
        page = await page_of(after, size)
        found += [each for each in page if is_seen(each)]
        if len(found) >= limit or len(page) < size:
            break
        after = cursor(page[-1])
    return found[:limit]
