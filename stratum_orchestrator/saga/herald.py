"""Publishes ends and questions of runs for which somebody waits, until the broker has them."""

import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice

import anyio

from platform_nats.errors import TransportError
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.saga.notice import Notice, inquiry, notice
from stratum_orchestrator.trace import passed_on
from stratum_state.checkpoint import Checkpoint
from stratum_state.errors import IllegalMove, NotOurs, Rejected, Unavailable
from stratum_state.model import Fact, PipelineRun, Trail
from stratum_state.moves import chain
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

Publish = Callable[[str, object, str, Mapping[str, str]], Awaitable[int]]
"""Subject, data, id and headers to the sequence of the one event of ours with that id."""

Heard = Callable[[str, str, int], Awaitable[bool]]
"""Run, node and sequence: records that a question is published; False where nobody has it."""

_AT_ONCE = 32
_PAUSE_S = (0.25, 10.0)
"""The first pause between attempts, and the longest."""


async def _not_carried(_run: str, _node: str, _sequence: int) -> bool:
    """No run is carried here."""
    return False


class Herald:
    """What is due is on record with the thing itself; here it is only remembered."""

    def __init__(
        self,
        tracker: StateTracker,
        publish: Publish,
        turn: anyio.Lock,
        *,
        told: Callable[[str, str | None], str] = passed_on,
        passed: Passed = UNARMED.passed,
    ) -> None:
        """`turn` keeps those apart who write to runs that are over.

        `told` gives the trace context for a run's id and what its event came with.
        """
        self._told = told
        self._tracker = tracker
        self._publish = publish
        self.turn = turn
        self._passed = passed
        self.heard: Heard = _not_carried
        """Told of questions first: whoever carries a run writes its questions."""
        self._waiting: dict[str, None] = {}
        self._looks = True
        self._news = anyio.Event()

    def __len__(self) -> int:
        """Of how many runs something waits to be published, as far as is known."""
        return len(self._waiting)

    def observe(self, facts: Sequence[Fact]) -> None:
        """Take note of what is due among facts that have just become durable."""
        due = [
            chain(fact)
            for fact in facts
            if isinstance(fact, PipelineRun | Checkpoint) and fact.is_due
        ]
        if due:
            self._waiting |= dict.fromkeys(due)
            self._news.set()

    def look_again(self) -> None:
        """There may be more on record: what a killed daemon left, or a lane brought along."""
        self._looks = True
        self._news.set()

    async def watch(self) -> None:
        """Publish what waits, until cancelled."""
        shortest, longest = _PAUSE_S
        pause = shortest
        while True:
            self._news = anyio.Event()
            done = await self.work()
            if done and self._waiting:
                continue
            idle = not self._waiting and not self._looks
            with anyio.move_on_after(math.inf if idle else pause):
                await self._news.wait()
            pause = shortest if done else min(2 * pause, longest)

    async def work(self) -> int:
        """Look at what is on record, if need be; how many of those that wait are published."""
        if self._looks:
            await self._look()
        before = len(self._waiting)
        async with anyio.create_task_group() as tasks:
            for run in tuple(islice(self._waiting, _AT_ONCE)):
                tasks.start_soon(self._try, run)
        return before - len(self._waiting)

    async def _look(self) -> None:
        try:
            due = await self._tracker.due()
        except Unavailable:
            return
        self._looks = False
        self._waiting |= dict.fromkeys(run.id for run in due)

    async def _try(self, run_id: str) -> None:
        try:
            await self._tell(run_id)
        except (IllegalMove, NotOurs, Rejected) as why:  # somebody else has the run, or told it
            log.debug("published elsewhere", extra={"run": run_id, "why": str(why)})
        except (Unavailable, TransportError) as why:
            log.warning("not published yet", extra={"run": run_id, "why": str(why)})
            self._waiting[run_id] = self._waiting.pop(run_id)  # others have their turn first
            return
        self._waiting.pop(run_id, None)

    async def _tell(self, run_id: str) -> None:
        trail = await self._tracker.find(run_id)
        for node, what in self._due(trail) if trail else ():
            self._passed("notice.due")
            sequence = await self._publish(what.subject, what.data, what.event_id, what.headers)
            self._passed("notice.stored")
            async with self.turn:
                await self._note(run_id, node, sequence)
            facts = {"run": run_id, "subject": what.subject, "sequence": sequence}
            log.info("published", extra=facts)

    def _due(self, trail: Trail) -> Iterator[tuple[str, Notice]]:
        """What is to be published of a run: its questions by their nodes, its end by none."""
        trace = self._told(trail.run.id, trail.run.trace)
        if trail.run.is_due:
            yield "", notice(trail, trace)
        for question in trail.checkpoints:
            if question.is_due:
                yield question.node, inquiry(trail, question, trace)

    async def _note(self, run_id: str, node: str, sequence: int) -> None:
        if node and await self.heard(run_id, node, sequence):
            return
        trail = await self._tracker.find(run_id)
        found: list[PipelineRun | Checkpoint] = []
        if trail is not None:
            found = [each for each in trail.checkpoints if each.node == node]
            found += [] if node else [trail.run]
        await self._tracker.record(*(x.heard_of(sequence) for x in found if x.is_due))
