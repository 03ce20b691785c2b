"""Which runs need a person, why, and what that person can do."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import anyio

from stratum_orchestrator.clock import written
from stratum_orchestrator.saga.compensation import last_attempts
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.trouble import Code as TroubleCode, Trouble
from stratum_state.checkpoint import Checkpoint
from stratum_state.errors import Unavailable
from stratum_state.model import CompensationStatus, PipelineRun, Trail
from stratum_state.store import RunFilter
from stratum_state.tracker import StateTracker

Code = TroubleCode | Literal["partial", "asked"]

_LOOK_S = 30.0
_EITHER = tuple(f"stratum run {each} {{}} --reason TEXT" for each in ("retry", "abandon"))
_COMES_TO = {"reject": "rejected", "approve": "approved"}
_PATIENCE = (
    "stratum run show {}",
    *(f"stratum run {each} {{}} --reason TEXT" for each in ("cancel", "abandon")),
)


MOST_COUNTED = 1000
"""Runs that need a person; more are not told apart."""


def _untold(_runs: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Why a run needs a person."""

    code: Code
    """That of its trouble; `partial`: something of it was not undone, and nobody has waived
    that; `asked`: it waits for people to answer."""
    reason: str
    commands: tuple[str, ...]
    """Each helps; the likeliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needy:
    """A run that needs a person."""

    run: PipelineRun
    attention: Attention


class Watchlist:
    """The runs that need a person, wherever they are: what is on record decides."""

    def __init__(
        self,
        tracker: StateTracker,
        live: LiveRuns,
        overdue_s: float,
        told: Callable[[int], None] = _untold,
    ) -> None:
        """`overdue_s`: for so many seconds a run may be under way in this process.

        `told` is given again and again how many runs need a person, up to `MOST_COUNTED`.
        """
        self._told = told
        self._tracker = tracker
        self._live = live
        self._overdue_s = overdue_s

    async def watch(self) -> None:
        """Put on record which runs here take too long, again and again, until cancelled."""
        while True:
            await self.look()
            await anyio.sleep(min(_LOOK_S, self._overdue_s))

    async def look(self) -> None:
        """Put on record which runs here take too long, and tell how many need a person."""
        overdue = Trouble("overdue", f"it is under way for longer than {self._overdue_s:g} s")
        for run, seconds in self._live.under_way.items():
            if seconds > self._overdue_s:
                await self._live.note(run, overdue)
        wanted = RunFilter(unresolved=True)
        with suppress(Unavailable):
            self._told(len(await self._tracker.runs(wanted, after=None, limit=MOST_COUNTED)))

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        """Newest first, beginning behind the id `after`. Raises Unavailable.

        Those that wait for answers among them.
        """
        wanted = RunFilter(unresolved=True)
        unresolved = await self._tracker.runs(wanted, after=after, limit=limit)
        asking = await self._tracker.asking(after=after, limit=limit)
        found: list[Needy] = []
        for run_id in sorted({*asking, *(run.id for run in unresolved)})[:limit]:
            trail = await self._tracker.find(run_id)
            attention = self.of(trail) if trail else None
            if trail and attention:
                found.append(Needy(run=trail.run, attention=attention))
        return found

    def of(self, trail: Trail) -> Attention | None:
        """Why this run needs a person; None when it does not."""
        run = trail.run
        if (trouble := Trouble.of(run)) is not None:
            commands = _PATIENCE if trouble.code == "overdue" else _EITHER
            return Attention(
                code=trouble.code,
                reason=trouble.why,
                commands=tuple(each.format(run.id) for each in commands),
            )
        if trail.open_checkpoints:
            return _asked(trail)
        return _partial(trail) if run.is_unresolved else None


def _asked(trail: Trail) -> Attention:
    asked = trail.open_checkpoints
    said = "; ".join(
        f"{each.node} asks {' or '.join(each.groups)} until {_moment(each.deadline)}"
        f"{_agreed(trail, each)}, then it is {_COMES_TO[each.on_timeout]}"
        for each in asked
    )
    commands = tuple(
        command
        for each in asked
        for command in (
            f"stratum run approve {trail.run.id} {each.node}",
            f"stratum run reject {trail.run.id} {each.node} --reason TEXT",
        )
    )
    return Attention(code="asked", reason=said, commands=commands)


def _agreed(trail: Trail, question: Checkpoint) -> str:
    given = len(trail.answers_to(question))
    return f" ({given} of {question.count} have approved)" if question.count > 1 else ""


def _moment(at_ms: int) -> str:
    """To the second, which is enough for people."""
    return written(at_ms)[:19] + "Z"


def _partial(trail: Trail) -> Attention:
    run = trail.run.id
    left = [
        each
        for each in last_attempts(trail.compensations).values()
        if each.status is CompensationStatus.FAILED
    ]
    why = "; ".join(f"{each.node}: {each.error or 'no reason given'}" for each in left)
    return Attention(
        code="partial",
        reason=f"not undone: {why}",
        commands=tuple(
            f"stratum compensation {verb} {run} {each.node} --reason TEXT"
            for each in left
            for verb in ("retry", "waive")
        ),
    )
