"""What is done to a run that an operator decided about; every decision is on record first."""

from dataclasses import dataclass, replace

import msgspec

from stratum_orchestrator.errors import Impossible, UnknownRun
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga import abandonment
from stratum_orchestrator.saga.compensation import judged, last_attempts
from stratum_orchestrator.saga.instruction import Instruction, is_to_be_abandoned
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.recovery import obstacle, resume_all
from stratum_state.errors import StateError
from stratum_state.model import (
    CompensationRecord,
    CompensationStatus,
    Fact,
    PipelineRun,
    RunStatus,
    Trail,
)
from stratum_state.tracker import StateTracker

NOT_HERE = "not-here"
"""The code of a run that this instance does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """Does what was allowed, or raises Impossible; NotOurs when another instance has the run.

    One call at a time: whoever calls sees to that.
    """

    tracker: StateTracker
    live: LiveRuns
    clock: Clock

    async def obey(self, run_id: str, told: Instruction) -> str:
        """Do it; what that means, in a few words."""
        trail = await self._trail(run_id)
        match told:
            case Instruction(action="cancel"):
                return await self._cancel(trail.run, told)
            case Instruction(action="abandon"):
                return await self._abandon(trail, told)
            case Instruction(action="approve" | "reject"):
                return await self._answer(trail, told)
            case Instruction(action="waive", node=str(node)):
                return await self._waive(trail, node, told)
            case Instruction(action="retry", node=str(node)):
                return await self._undo_again(trail, node, told)
            case _:
                return await self._take_up(trail, told)

    async def _cancel(self, run: PipelineRun, told: Instruction) -> str:
        if await self.live.cancel(run.id, told.cause, told):
            return "what runs is stopped, what succeeded is undone"
        if run.id in self.live.anteroom or run.id in self.live.recess:
            await self._dismiss(run, told)
            return f"it was {run.status}, what succeeded is undone"
        run = (await self._trail(run.id)).run
        if run.is_over or run.status is RunStatus.COMPENSATING:
            raise _over(run, "cancel")
        if self._is_set_aside(run):
            raise Impossible(
                "stuck",
                "nobody carries it, so nobody can undo it",
                f"stratum run retry {run.id} takes it up again, stratum run abandon ends it",
            )
        raise not_here(run)

    async def _dismiss(self, run: PipelineRun, told: Instruction) -> None:
        if why := obstacle(run, self.live):
            raise _unreadable(run, why)
        await self.live.dismiss(await self._trail(run.id), told.cause, told)

    async def _answer(self, trail: Trail, told: Instruction) -> str:
        said = await self.live.answer(trail.run.id, told)
        if said is None and trail.run.id in self.live.recess:
            said = await self._recall(await self._trail(trail.run.id), told)
        if said is not None:
            return said
        if self._is_set_aside(trail.run):
            raise Impossible(
                "stuck",
                "nobody carries it, so nothing would follow from an answer",
                f"stratum run retry {trail.run.id} takes it up again",
            )
        raise not_here(trail.run)

    async def _recall(self, trail: Trail, told: Instruction) -> str | None:
        if why := obstacle(trail.run, self.live):
            raise _unreadable(trail.run, why)
        return await self.live.recall(trail, told)

    async def _abandon(self, trail: Trail, told: Instruction) -> str:
        if await self.live.abandon(trail.run.id, told):
            return "its processes are ended, nothing is undone"
        run = (await self._trail(trail.run.id)).run
        if run.is_over:
            raise _over(run, "abandon")
        if is_to_be_abandoned(run):
            return "it is being abandoned already"
        if not self._is_set_aside(run):
            raise not_here(run)
        given_up = replace(trail, run=run.told(told.text()))
        ending = abandonment.ending(given_up, self.clock.now_ms(), self.live.sequel)
        await self.tracker.record(given_up.run, *ending)
        self.live.forget(run.id)
        return "it had no processes, nothing is undone"

    async def _take_up(self, trail: Trail, told: Instruction) -> str:
        run = trail.run
        if run.id in self.live.anteroom:
            why = f"it waits, as {run.pipeline} is held back"
            raise Impossible("held-back", why, f"stratum pipeline resume {run.pipeline}")
        if run.id in self.live.recess:
            asked = ", ".join(each.node for each in trail.open_checkpoints)
            why = f"it waits for people, who are asked about {asked}"
            raise Impossible("asked", why, f"stratum run approve {run.id} NODE")
        if not self._is_set_aside(run):
            if run.is_over:
                raise _over(run, "take up")
            if run.id not in self.live.under_way:
                raise not_here(run)
            why = f"it is {run.status} and under way"
            raise Impossible("run-live", why, f"watch it: stratum run watch {run.id}")
        taken_up = run.told(told.text())
        await self.tracker.record(taken_up)
        left = await resume_all([replace(trail, run=taken_up)], self.tracker, self.live)
        if left:
            raise _unreadable(run, left[run.id])
        return "it goes on from its last durable step"

    async def _undo_again(self, trail: Trail, node: str, told: Instruction) -> str:
        last = _failed(trail, node)
        if last.error_class == "not-declared":
            raise Impossible(
                "no-compensation",
                f"{node} declares no compensation, so there is none to try again",
                f"undo it yourself, then: stratum compensation waive {trail.run.id} {node}",
            )
        if why := obstacle(trail.run, self.live):
            raise _unreadable(trail.run, why)
        told = msgspec.structs.replace(told, attempts=last.attempt)
        reopened = trail.run.to(
            RunStatus.COMPENSATING,
            compensation=None,
            ended=None,
            trouble=None,
            instruction=told.text(),
        )
        await self._record_ended(trail, reopened)
        await resume_all([replace(trail, run=reopened)], self.tracker, self.live)
        return f"the compensation of {node} is tried again"

    async def _waive(self, trail: Trail, node: str, told: Instruction) -> str:
        waived = _failed(trail, node).to(CompensationStatus.WAIVED, instruction=told.text())
        ends = {**last_attempts(trail.compensations), node: waived}
        said = judged(ends.values())
        run = trail.run.told(told.text(), waived=said.get("waived"))
        await self._record_ended(trail, waived, run)
        left = sorted(
            each.node for each in ends.values() if each.status is CompensationStatus.FAILED
        )
        rest = f"still not undone: {', '.join(left)}" if left else "nothing else is open"
        return f"{node} stays as it is, the run stays partial; {rest}"

    async def _record_ended(self, trail: Trail, *facts: Fact) -> None:
        """Record facts of a run that had ended, maybe so long ago that the cache forgot it."""
        run_id = trail.run.id
        known = self.tracker.trail(run_id) is not None
        if not known:
            self.tracker.adopt([trail])
        try:
            await self.tracker.record(*facts)
        except StateError:
            if not known:
                self.tracker.release(run_id)
            raise

    def _is_set_aside(self, run: PipelineRun) -> bool:
        return self.live.is_aside(run.id)

    async def _trail(self, run_id: str) -> Trail:
        trail = await self.tracker.find(run_id)
        if trail is None:
            raise UnknownRun(run_id)
        return trail


def _failed(trail: Trail, node: str) -> CompensationRecord:
    """The node's last attempt at being undone, which failed; else Impossible."""
    run = trail.run
    if run.status is not RunStatus.COMPENSATED:
        why = f"it is {run.status}: only what has ended and was not undone can be looked after"
        raise Impossible("not-compensated", why, f"watch it: stratum run watch {run.id}")
    ends = last_attempts(trail.compensations)
    last = ends.get(node)
    if last is None or last.status is not CompensationStatus.FAILED:
        open_ones = [
            each.node for each in ends.values() if each.status is CompensationStatus.FAILED
        ]
        state = f"is {last.status}" if last else "was never to be undone"
        raise Impossible(
            "not-failed",
            f"the compensation of {node} {state}" if last else f"{node} {state}",
            f"not undone: {', '.join(open_ones) or 'nothing'}",
        )
    return last


def _over(run: PipelineRun, verb: str) -> Impossible:
    return Impossible("run-over", f"it is {run.status} already", f"nothing is left to {verb}")


def not_here(run: PipelineRun) -> Impossible:
    """Nobody who could be asked has the run."""
    return Impossible(
        NOT_HERE,
        f"it is {run.status}, and no instance that could be asked has it",
        "ask again in a moment; a run whose instance is gone is taken over",
    )


def _unreadable(run: PipelineRun, why: str) -> Impossible:
    return Impossible(
        "unrecovered",
        why,
        "restore what is missing below the home's `content` folder, or abandon it: "
        f"stratum run abandon {run.id}",
    )
