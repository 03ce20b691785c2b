"""Which runs need a person, why, and what that person can do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from stratum_orchestrator.saga.compensation import last_attempts
from stratum_orchestrator.saga.live import LiveRuns
from stratum_state.model import CompensationStatus, PipelineRun, Trail
from stratum_state.store import RunFilter
from stratum_state.tracker import StateTracker

Code = Literal["unrecovered", "stuck", "overdue", "partial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Why a run needs a person."""

    code: Code
    """`unrecovered`: it could not be taken up again; `stuck`: a fault of ours stopped it;
    `overdue`: it is under way for longer than it may be; `partial`: something of it was not
    undone, and nobody has waived that."""
    reason: str
    commands: tuple[str, ...]
    """Each helps; the likeliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needy:
    """A run that needs a person."""

    run: PipelineRun
    attention: Attention


class Watchlist:
    """The runs that need a person: those set aside or overdue here, and all partial ones."""

    def __init__(self, tracker: StateTracker, live: LiveRuns, overdue_s: float) -> None:
        """`overdue_s`: for so many seconds a run may be under way in this process."""
        self._tracker = tracker
        self._live = live
        self._overdue_s = overdue_s

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        """Newest first, beginning behind the id `after`. Raises Unavailable."""
        partial = RunFilter(unresolved=True)
        page = await self._tracker.runs(partial, after=after, limit=limit)
        ids = {run.id for run in page} | set(self._here())
        found: list[Needy] = []
        for run in sorted(each for each in ids if after is None or each > after)[:limit]:
            trail = await self._tracker.find(run)
            attention = self.of(trail) if trail else None
            if trail and attention:
                found.append(Needy(run=trail.run, attention=attention))
        return found

    def of(self, trail: Trail) -> Attention | None:
        """Why this run needs a person; None when it does not."""
        run = trail.run
        for stuck in self._live.stuck:
            if stuck.run == run.id and not run.is_over:
                return Attention(code=stuck.code, reason=stuck.why, commands=_either(run.id))
        if run.id in self._overdue():
            limit = f"it is {run.status} for longer than {self._overdue_s:g} s"
            return Attention(code="overdue", reason=limit, commands=_patience(run.id))
        if run.is_unresolved:
            return _partial(trail)
        return None

    def _here(self) -> Iterator[str]:
        yield from (each.run for each in self._live.stuck)
        yield from self._overdue()

    def _overdue(self) -> Sequence[str]:
        spent = self._live.under_way.items()
        return [run for run, seconds in spent if seconds > self._overdue_s]


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


def _either(run: str) -> tuple[str, ...]:
    return tuple(f"stratum run {verb} {run} --reason TEXT" for verb in ("retry", "abandon"))


def _patience(run: str) -> tuple[str, ...]:
    verbs = ("cancel", "abandon")
    return (
        f"stratum run show {run}",
        *(f"stratum run {verb} {run} --reason TEXT" for verb in verbs),
    )
