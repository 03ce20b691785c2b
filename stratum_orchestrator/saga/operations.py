"""What operators can have done about a run: allowed by the policies, on record, then done."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import anyio
import msgspec

from stratum_graph.model import Principal
from stratum_orchestrator.errors import Denied, Impossible, OrchestratorError, UnknownRun
from stratum_orchestrator.ports import Clock, Decision, Mandate
from stratum_orchestrator.saga import inquiry
from stratum_orchestrator.saga.custody import Custody
from stratum_orchestrator.saga.delegation import Asker, Matter, about, decide
from stratum_orchestrator.saga.instruction import (
    Action,
    Instruction,
    Obeyed,
    Outcome,
    Wish,
    latest,
    read,
)
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.remedies import NOT_HERE, Remedies, not_here
from stratum_orchestrator.saga.renewal import Renewal
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state.errors import NotOurs, StateError
from stratum_state.model import PipelineRun, Trail
from stratum_state.tracker import StateTracker

T = TypeVar("T")

log = logging.getLogger(__name__)

_PAUSE_S = 0.2
_ELSEWHERE = "the instance that has the run does it"
Elsewhere = Callable[[str, str], Awaitable[str | None]]
"""Passes a run's instruction on to the other instances; the outcome where the run is."""


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The commands. Each raises UnknownRun, Denied, Impossible, and is durable on return."""

    operator: Principal
    rules: Callable[[], Rules]
    rulings: Rulings
    tracker: StateTracker
    live: LiveRuns
    clock: Clock
    custody: Custody
    elsewhere: Elsewhere
    patience_s: float
    """How long to wait for an instance that has the run: one that is gone is replaced."""
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    """Whose turn it is to write to runs that are over."""

    async def cancel(self, run_id: str, wish: Wish) -> Obeyed:
        """Turn a run back: what it did is undone."""
        run = await self._run(run_id)
        return await self._pass_on(run, self._allow("cancel", run, wish))

    async def abandon(self, run_id: str, wish: Wish) -> Obeyed:
        """End a run where it is: its processes end, and nothing is undone."""
        run = await self._run(run_id)
        return await self._pass_on(run, self._allow("abandon", run, wish))

    async def retry(self, run_id: str, wish: Wish, *, again: bool = False) -> Obeyed:
        """Take a run that is set aside up again; of an ended one, begin a new run.

        A run that completed is begun anew only with `again`.
        """
        run = await self._run(run_id)
        told = self._allow("retry", run, wish)
        if run.is_over:
            return await self._renew(run, told, again=again)
        return await self._pass_on(run, told)

    async def undo_again(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        """Run the failed compensation of a node again, with as many attempts as at first."""
        run = await self._run(run_id)
        told = self._allow("retry", run, wish)
        return await self._pass_on(run, msgspec.structs.replace(told, node=node))

    async def waive(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        """Accept that a node was not undone. The run stays partial."""
        run = await self._run(run_id)
        told = self._allow("waive", run, wish)
        return await self._pass_on(run, msgspec.structs.replace(told, node=node))

    async def approve(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        """Say yes to what is asked about a node: it begins when enough people do."""
        return await self._answer("approve", run_id, node, wish)

    async def reject(self, run_id: str, node: str, wish: Wish) -> Obeyed:
        """Say no to what is asked about a node: what the run did is undone."""
        return await self._answer("reject", run_id, node, wish)

    async def _answer(self, action: Action, run_id: str, node: str, wish: Wish) -> Obeyed:
        trail = await self._trail(run_id)

        def judged(decision: Decision) -> Decision:
            person = self._person(decision.mandate, wish)
            why = inquiry.outside(trail.checkpoints, node, person)
            return (
                replace(decision, allowed=False, policies=(), reason=why) if why else decision
            )

        told = self._allow(action, trail.run, wish, judged)
        inquiry.find(trail.checkpoints, node)
        if action == "approve":
            self._check_defined(trail.run)
        person = self._person(told.mandate, wish)
        voice = {"node": node, "person": person.name, "key": person.key}
        return await self._pass_on(trail.run, msgspec.structs.replace(told, **voice))

    def _check_defined(self, run: PipelineRun) -> None:
        """Impossible when nobody can tell any more who may not approve."""
        if run.pipeline not in self.rules().generation.pipelines:
            why = f"{run.pipeline} is not defined any more, so nobody can tell who may approve"
            raise Impossible("no-pipeline", why, f"stratum run reject {run.id} NODE")

    def _person(self, mandate: Mandate | None, wish: Wish) -> Principal:
        """Whose answer it is: that of who asks, or of whom an agent asks for."""
        asker = (wish.asker or Asker(principal=self.operator)).principal
        return self.rules().principals.get(mandate.key, asker) if mandate else asker

    async def overhear(self, run_id: str, text: str) -> str | None:
        """Obey what another instance allowed; the outcome, None when the run is not ours."""
        try:
            obeyed = await self._obey(run_id, read(text), adopt=False)
        except Impossible as why:
            return Outcome(code=why.code, why=str(why), remedy=why.remedy).text()
        except (OrchestratorError, StateError, ValueError) as why:
            log.info("instruction not obeyed", extra={"run": run_id, "why": str(why)})
            return None
        return Outcome(detail=obeyed.detail).text() if obeyed else None

    async def _pass_on(self, run: PipelineRun, told: Instruction) -> Obeyed:
        """Have it done by whoever has the run, which is us when nobody has it."""
        give_up = anyio.current_time() + self.patience_s
        while True:
            obeyed = await self._obey(run.id, told, adopt=True)
            obeyed = obeyed or await self._have_obeyed(run.id, told)
            if obeyed is not None:
                return obeyed
            if anyio.current_time() > give_up:
                raise not_here(run)
            await anyio.sleep(_PAUSE_S)

    async def _have_obeyed(self, run_id: str, told: Instruction) -> Obeyed | None:
        """What another instance did; None when no one who has the run has answered."""
        answer = await self.elsewhere(run_id, told.text())
        if answer is None:
            is_done = _is_on_record(await self._trail(run_id), told)
            return Obeyed(run=run_id, detail=_ELSEWHERE) if is_done else None
        outcome = Outcome.read(answer)
        if outcome.code:
            raise Impossible(outcome.code, outcome.why, outcome.remedy)
        return Obeyed(run=run_id, detail=f"{_ELSEWHERE}: {outcome.detail}")

    async def _obey(self, run_id: str, told: Instruction, *, adopt: bool) -> Obeyed | None:
        """Do it; None when the run is another's."""
        remedies = Remedies(tracker=self.tracker, live=self.live, clock=self.clock)

        async def do() -> str | None:
            try:
                async with self.custody.holding(run_id, adopt=adopt) as is_ours:
                    return await remedies.obey(run_id, told) if is_ours else None
            except NotOurs:  # it was taken over meanwhile
                return None
            except Impossible as why:
                if why.code == NOT_HERE:
                    return None
                raise

        detail = await self._in_turn(do)
        if detail is None:
            return None
        _note(run_id, told)
        return Obeyed(run=run_id, detail=f"{detail} ({_permit(told)})")

    async def _renew(self, old: PipelineRun, told: Instruction, *, again: bool) -> Obeyed:
        renewal = Renewal(tracker=self.tracker, live=self.live, clock=self.clock)
        begin = partial(renewal.begin, old, told, self.rules(), again=again)
        new = await self._in_turn(begin)
        _note(old.id, told)
        return Obeyed(
            run=new.id, detail=f"a new run of the event of {old.id} ({_permit(told)})"
        )

    async def _in_turn(self, do: Callable[[], Awaitable[T]]) -> T:
        async def alone() -> T:
            async with self.turn:
                return await do()

        return await self.live.apart(alone)

    def _allow(
        self,
        action: Action,
        run: PipelineRun,
        wish: Wish,
        judged: Callable[[Decision], Decision] = lambda decision: decision,
    ) -> Instruction:
        """The instruction, if the policies let who asks do it, and so does what judges them."""
        now, rules = self.clock.now_ms(), self.rules()
        asker = wish.asker or Asker(principal=self.operator)
        matter = Matter(
            action="approve" if action == "reject" else action,
            pipeline=run.pipeline,
            now_ms=now,
            about=about(run, rules.principals),
        )
        decision = decide(rules, asker, matter)
        decision = judged(decision) if decision.allowed else decision
        self.rulings.note(asker, matter, decision, run=run.id)
        if not decision.allowed:
            raise Denied(action, run.pipeline, decision.reason)
        return Instruction.of(action, wish, decision, now)

    async def _run(self, run_id: str) -> PipelineRun:
        return (await self._trail(run_id)).run

    async def _trail(self, run_id: str) -> Trail:
        trail = await self.tracker.find(run_id)
        if trail is None:
            raise UnknownRun(run_id)
        return trail


def _is_on_record(trail: Trail, told: Instruction) -> bool:
    """Whether what a run was told is the latest of its kind."""
    if told.person:
        return any(each.instruction == told.text() for each in trail.answers)
    last = latest(trail.run)
    return last is not None and (last.at, last.by) == (told.at, told.by)


def _note(run_id: str, told: Instruction) -> None:
    facts = {"run": run_id, "action": told.action, "by": told.by, "why": told.reason}
    log.warning("operator obeyed", extra=facts)


def _permit(told: Instruction) -> str:
    return f"permitted by {', '.join(told.policies)}"
