"""What operators can have done about a run: allowed by the policies, on record, then done."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
import msgspec

from stratum_graph.model import Principal
from stratum_orchestrator.errors import Denied, Impossible, OrchestratorError, UnknownRun
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.instruction import Action, Instruction, Obeyed, Wish, read
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.remedies import NOT_HERE, Remedies, not_here
from stratum_orchestrator.saga.renewal import Renewal
from stratum_orchestrator.saga.rules import Rules
from stratum_state.errors import NotOurs, StateError
from stratum_state.model import PipelineRun
from stratum_state.tracker import StateTracker

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The commands. Each raises UnknownRun, Denied, Impossible, and is durable on return."""

    operator: Principal
    rules: Callable[[], Rules]
    tracker: StateTracker
    live: LiveRuns
    clock: Clock
    elsewhere: Callable[[str, str], Awaitable[bool]]
    """Passes a run's instruction on to the other instances; whether one of them obeyed."""
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

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

    async def overhear(self, run_id: str, text: str) -> bool:
        """Obey what another instance allowed; False when we cannot."""
        try:
            await self._obey(run_id, read(text))
        except (OrchestratorError, StateError, ValueError) as why:
            log.info("instruction not obeyed", extra={"run": run_id, "why": str(why)})
            return False
        return True

    async def _pass_on(self, run: PipelineRun, told: Instruction) -> Obeyed:
        try:
            return await self._obey(run.id, told)
        except NotOurs:
            pass
        except Impossible as why:
            if why.code != NOT_HERE:
                raise
        if await self.elsewhere(run.id, told.text()):
            return Obeyed(run=run.id, detail="the instance that has the run does it")
        raise not_here(run)

    async def _obey(self, run_id: str, told: Instruction) -> Obeyed:
        remedies = Remedies(tracker=self.tracker, live=self.live, clock=self.clock)
        detail = await self._in_turn(partial(remedies.obey, run_id, told))
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
            async with self._turn:
                return await do()

        return await self.live.apart(alone)

    def _allow(self, action: Action, run: PipelineRun, wish: Wish) -> Instruction:
        now = self.clock.now_ms()
        context = {"now": now // 1000, "signed": True, "publisher": run.publisher}
        context |= {"subject": run.subject}
        decision = self.rules().authorizer.decide(self.operator, action, run.pipeline, context)
        if not decision.allowed:
            raise Denied(action, run.pipeline, decision.reason)
        return Instruction.of(action, wish, decision, now)

    async def _run(self, run_id: str) -> PipelineRun:
        trail = await self.tracker.find(run_id)
        if trail is None:
            raise UnknownRun(run_id)
        return trail.run


def _note(run_id: str, told: Instruction) -> None:
    facts = {"run": run_id, "action": told.action, "by": told.by, "why": told.reason}
    log.warning("operator obeyed", extra=facts)


def _permit(told: Instruction) -> str:
    return f"permitted by {', '.join(told.policies)}"
