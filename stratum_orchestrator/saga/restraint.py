"""Holding pipelines back, and letting their runs go again: allowed, on record, then done."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import anyio

from stratum_graph.model import Principal
from stratum_orchestrator.errors import Denied, Impossible, UnknownPipeline
from stratum_orchestrator.ports import Clock, Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, decide
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.recovery import resume_all
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_orchestrator.saga.standings import Standings
from stratum_state import canonical
from stratum_state.errors import Unavailable
from stratum_state.model import RunStatus, Trail
from stratum_state.standing import Standing, StandingRecord, standing_id
from stratum_state.tracker import StateTracker

_AGAIN_S = 1.0  # after a store that is away

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Restraint:
    """What may be done about pipelines. Raises UnknownPipeline, Denied, Impossible."""

    operator: Principal
    rules: Callable[[], Rules]
    rulings: Rulings
    tracker: StateTracker
    live: LiveRuns
    clock: Clock
    tell: Callable[[str], Awaitable[None]]
    """Lets the other instances know that something is on record."""
    turn: anyio.Lock
    """Whose turn it is to write to runs that nobody carries."""
    _turn: anyio.Lock = field(default_factory=anyio.Lock)
    _bells: list[anyio.Event] = field(default_factory=lambda: [anyio.Event()])

    @property
    def standings(self) -> Standings:
        return self.live.standings

    async def stand(self, pipeline: str, kind: Standing, wish: Wish) -> StandingRecord:
        """Have the pipeline stand so from now on; durable on return."""
        is_known = pipeline in self.rules().generation.pipelines
        if not is_known and self.standings.of(pipeline) is None:
            raise UnknownPipeline(pipeline)
        decision = self._allow(pipeline, wish)

        async def do() -> StandingRecord:
            async with self._turn:
                return await self._stand(pipeline, kind, wish, decision)

        return await self.live.apart(do)

    async def follow(self) -> None:
        """Take note of what is on record by now; other instances write there, too.

        A store that is away is asked again when there is the next occasion.
        """
        try:
            self.standings.take(await self.tracker.standings())
        except Unavailable:
            log.debug("standings not read: the store is away")
        else:
            self._ring()

    def waiting(self, pipeline: str) -> int:
        """How many accepted runs of the pipeline wait at this instance."""
        return len(self.live.anteroom.of(pipeline))

    async def release(self) -> None:
        """Let runs go whose pipelines are not held back any more; until cancelled."""
        while True:
            bell = self._bells[-1]
            for pipeline in self.live.anteroom.pipelines:
                await self._let_go(pipeline)
            await bell.wait()

    async def _let_go(self, pipeline: str) -> None:
        for run in self.live.anteroom.of(pipeline):
            if self.standings.holds(pipeline):
                return
            async with self.live.entrance.room_for(1, within_s=math.inf), self.turn:
                if not self.standings.holds(pipeline):
                    await self._begin(run)

    async def _begin(self, run: str) -> None:
        trail = await self._find(run)
        if run not in self.live.anteroom:  # it was cancelled meanwhile
            return
        self.live.anteroom.leave(run)
        if trail is not None and trail.run.status is RunStatus.ACCEPTED:
            await resume_all([trail], self.tracker, self.live)

    async def _find(self, run: str) -> Trail | None:
        while True:
            try:
                return await self.tracker.find(run)
            except Unavailable:
                await anyio.sleep(_AGAIN_S)

    async def _stand(
        self, pipeline: str, kind: Standing, wish: Wish, decision: Decision
    ) -> StandingRecord:
        self.standings.take(await self.tracker.standings())
        before = self.standings.of(pipeline)
        if kind is (before.kind if before else Standing.ACTIVE):
            raise Impossible(f"already-{kind}", f"{pipeline} is {kind}", "stratum pipelines")
        now = max(self.clock.now_ms(), before.at + 1 if before else 0)
        record = StandingRecord(
            id=standing_id(now, pipeline),
            pipeline=pipeline,
            kind=kind,
            by=wish.by,
            reason=wish.reason,
            authorization=canonical.text(asdict(decision)),
            at=now,
        )
        await self.tracker.record(record)
        log.warning("pipeline stands anew", extra=_said(record))
        self.standings.take([record])
        self._ring()
        await self.tell(pipeline)
        return record

    def _allow(self, pipeline: str, wish: Wish) -> Decision:
        asker = wish.asker or Asker(principal=self.operator)
        now = self.clock.now_ms()
        matter = Matter(action="pause", pipeline=pipeline, now_ms=now, about={})
        decision = decide(self.rules(), asker, matter)
        self.rulings.note(asker, matter, decision)
        if not decision.allowed:
            raise Denied("pause", pipeline, decision.reason)
        return decision

    def _ring(self) -> None:
        self._bells.append(anyio.Event())
        self._bells.pop(0).set()


def state(held: Sequence[StandingRecord], waiting: Callable[[str], int]) -> str:
    """The pipelines that are held back, in a line."""
    return "; ".join(
        f"{each.pipeline} is {each.kind} by {each.by}: {each.reason}"
        + _number(waiting(each.pipeline))
        for each in held
    )


def _number(runs: int) -> str:
    return f" ({runs} {'run waits' if runs == 1 else 'runs wait'})" if runs else ""


def _said(record: StandingRecord) -> Mapping[str, object]:
    facts = {"pipeline": record.pipeline, "standing": str(record.kind)}
    return facts | {"by": record.by, "why": record.reason}
