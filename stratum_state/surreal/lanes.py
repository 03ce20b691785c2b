"""The lanes that this process writes through: one for what is new, others taken over."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, NoReturn

import anyio
from anyio.abc import TaskGroup

from stratum_state import moves
from stratum_state.errors import NotOurs, Rejected, StateError
from stratum_state.head import Signer
from stratum_state.ledger import Ledger
from stratum_state.model import Fact, PipelineRun, RunStatus
from stratum_state.surreal.commit import Committer, Patience
from stratum_state.surreal.lane import Lane
from stratum_state.surreal.lease import Lease
from stratum_state.surreal.reader import Kept, Reader
from stratum_state.surreal.transport import Transport

_ENDED = 1024  # runs that ended can still be moved without a query
_DRAIN_S = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A lane of ours, with what is on record of its runs."""

    name: str
    committer: Committer
    ledger: Ledger
    writer: Lane
    is_borrowed: bool = False
    """For a while, to tidy up in it: no runs are carried on."""
    alive: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))

    @property
    def is_idle(self) -> bool:
        return self.ledger.is_idle


class Manner(NamedTuple):
    """How lanes are served."""

    heartbeat_s: float
    """An idle lane is heard of so often."""
    signer: Signer | None = None
    """Signs the ends of runs."""


class Lanes:
    """A run belongs to one lane for its whole life; what is new goes to the first lane."""

    def __init__(
        self, connection: Transport, beside: Reader, tasks: TaskGroup, manner: Manner
    ) -> None:
        self.patience = Patience.fit_for(connection)
        self._connection = connection
        self._reader = beside
        self._tasks = tasks
        self._manner = manner
        self._held: dict[str, Held] = {}
        self._failed = anyio.Event()
        self._failure: StateError | None = None

    @property
    def held(self) -> Mapping[str, Held]:
        return self._held

    @property
    def primary(self) -> Held:
        """The lane for what is new."""
        return next(iter(self._held.values()))

    @property
    def idle(self) -> Sequence[Held]:
        """The adopted lanes whose runs are all over."""
        adopted = [each for each in self._held.values() if each is not self.primary]
        return [each for each in adopted if each.is_idle and not each.is_borrowed]

    @property
    def are_waiting(self) -> bool:
        """Whether a batch waits for a store that is away."""
        return any(each.committer.is_waiting for each in self._held.values())

    def open(
        self, taken: Lease, unfinished: Sequence[Kept] = (), *, is_borrowed: bool = False
    ) -> Held:
        """Write through the lane from now on."""
        committer = Committer(self._connection, taken, self.patience)
        ledger = Ledger(ended=_ENDED, signer=self._manner.signer)
        for kept in unfinished:
            ledger.enter(kept.rows)
        read = partial(self._reader.on_record, taken.lane)
        writer = Lane(taken.lane, committer, ledger, read)
        held = Held(taken.lane, committer, ledger, writer, is_borrowed)
        self._held[taken.lane] = held
        self._tasks.start_soon(self._serve, held)
        log.info("lane taken", extra={"lane": taken.lane, "epoch": taken.epoch})
        return held

    async def write(self, facts: Sequence[Fact]) -> None:
        """Return when the facts are durable, in the lane of their run.

        Raises NotOurs when that is not held here, and what the lane raises.
        """
        absent: set[str] = set()
        while strange := self._strange(facts) - absent:
            for run in strange:
                if not await self._learn(run):
                    absent.add(run)
        await self._lane_of(facts).writer.write(facts).wait()

    async def give_back(self, held: Held) -> None:
        """Keep what was handed over, then let others have the lane."""
        del self._held[held.name]
        await self._end(held)
        log.info("lane given back", extra={"lane": held.name})

    async def close(self) -> None:
        """Give all lanes back; what cannot be kept in time is left to whoever takes them."""
        async with anyio.create_task_group() as group:
            for held in self._held.values():
                group.start_soon(self._end, held)

    async def failure(self) -> NoReturn:
        """Raise what stopped a lane, as soon as something does."""
        await self._failed.wait()
        assert self._failure is not None  # noqa: S101 - set before the event
        raise self._failure

    @property
    def _removed(self) -> int:
        """How many runs have been removed so far."""
        return sum(each.ledger.forgotten for each in self._held.values())

    def _knowing(self, run: str) -> Held | None:
        holders = (each for each in self._held.values() if each.ledger.account(run))
        return next(holders, None)

    def _strange(self, facts: Sequence[Fact]) -> set[str]:
        """The runs of the facts that no ledger knows, and that do not begin with them."""
        runs = {moves.chain(each) for each in facts if not isinstance(each, moves.LONELY)}
        strange = {each for each in runs if self._knowing(each) is None}
        if not strange:
            return strange
        return strange - {
            each.id
            for each in facts
            if isinstance(each, PipelineRun) and each.status is RunStatus.ACCEPTED
        }

    async def _learn(self, run: str) -> bool:
        """Enter what is on record of the run; False when nothing is."""
        removed = self._removed
        kept = await self._reader.kept(run)
        if removed != self._removed:
            return True  # it may have been removed since it was read: look again
        if kept is None:
            return False
        held = self._held.get(kept.lane)
        if held is None:
            raise NotOurs(run, kept.lane)
        held.ledger.enter(kept.rows)
        return True

    def _lane_of(self, facts: Sequence[Fact]) -> Held:
        runs = {moves.chain(each) for each in facts if not isinstance(each, moves.LONELY)}
        lanes = {self._knowing(run) or self.primary for run in runs} or {self.primary}
        if len(lanes) > 1:
            why = "its facts belong to several lanes, which cannot be kept together"
            raise Rejected(moves.name(facts[0]), why)
        return lanes.pop()

    async def _serve(self, held: Held) -> None:
        with held.alive:
            await held.writer.serve(self._manner.heartbeat_s)
        if held.writer.broken is not None:
            self._failure = self._failure or held.writer.broken
            self._failed.set()

    async def _end(self, held: Held) -> None:
        with anyio.move_on_after(_DRAIN_S, shield=True):
            await held.writer.close()
            if held.writer.kept_everything:
                await held.committer.release()
        held.alive.cancel()


@asynccontextmanager
async def lanes(connection: Transport, beside: Reader, manner: Manner) -> AsyncIterator[Lanes]:
    """No lanes yet; those that are open at the end are given back."""
    async with anyio.create_task_group() as tasks:
        held = Lanes(connection, beside, tasks, manner)
        try:
            yield held
        finally:
            with anyio.CancelScope(shield=True):
                await held.close()
