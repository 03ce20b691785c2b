"""The lane: one writer for all, whatever waits meanwhile going into the next transaction.

The embedded engine acknowledges conflicting concurrent writes and loses one of them, and one
write for each query is ten times too slow. Both end here: one batch is in flight, the next
is judged and encoded while it commits, and a writer returns when its own batch is durable.
"""

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.lowlevel

from stratum_state.account import Row
from stratum_state.errors import Rejected, StateError, Unavailable
from stratum_state.ledger import Ledger, Stamp
from stratum_state.model import Fact
from stratum_state.surreal import replies
from stratum_state.surreal.batch import Batch
from stratum_state.surreal.cbor import Unencodable
from stratum_state.surreal.commit import Committer
from stratum_state.surreal.ticket import Ticket, Write

Read = Callable[[Sequence[Fact]], Awaitable[Sequence[Row]]]
"""What is on record about the subjects of facts. Raises Taken, Unavailable."""

log = logging.getLogger(__name__)


class Lane:
    """Takes writes in order, keeps them in groups, tells each writer its own outcome."""

    def __init__(self, name: str, committer: Committer, ledger: Ledger, read: Read) -> None:
        self._name = name
        self._committer = committer
        self._ledger = ledger
        self._read = read
        self._flying: Batch | None = None
        self._filled: deque[Batch] = deque()
        self._mending: list[Ticket] | None = None
        """What comes while a refused batch is taken apart."""
        self._waiting: set[Ticket] = set()
        self._wake = anyio.Event()
        self._closing = False
        self.broken: StateError | None = None
        """What stopped it."""
        self._ended = anyio.Event()
        self.kept_everything = False
        """Whether it ended with all that was handed over durable."""

    def write(self, facts: Sequence[Fact]) -> Ticket:
        """Take facts; they are judged against everything that was taken before them."""
        return self.add(Write(tuple(facts)))

    def add(self, ticket: Ticket) -> Ticket:
        """Take a ticket, behind all that were taken before."""
        if self.broken is not None or self._closing:
            ticket.end(self.broken or _closed(self._name))
            return ticket
        self._waiting.add(ticket)
        if self._mending is not None:
            self._mending.append(ticket)
        else:
            self._place(ticket, self._open())
        return ticket

    async def serve(self, heartbeat_s: float) -> None:
        """Commit until closed. A lane that is idle so long commits an empty batch."""
        try:
            while batch := await self._following(heartbeat_s):
                self._flying = batch
                await self._fly(batch)
                self._flying = None
            self.kept_everything = True
        except StateError as error:
            log.critical("lane stopped", extra={"lane": self._name, "why": str(error)})
            self.broken = error
        finally:
            for ticket in self._waiting:
                ticket.end(self.broken or _closed(self._name))
            self._waiting.clear()
            self._ended.set()

    async def close(self) -> None:
        """Keep what was taken, then end."""
        self._closing = True
        self._wake.set()
        await self._ended.wait()

    def _open(self) -> Batch:
        """The batch that is being filled."""
        last = self._filled[-1] if self._filled else self._flying
        if self._filled and last and not last.is_full:
            return last
        number = last.number if last else self._committer.seq
        batch = Batch(number + 1, self._name)
        self._filled.append(batch)
        return batch

    async def _following(self, heartbeat_s: float) -> Batch | None:
        if not self._filled and not self._closing:
            self._wake = anyio.Event()
            with anyio.move_on_after(heartbeat_s):
                await self._wake.wait()
            await anyio.lowlevel.checkpoint()  # whoever is ready to write goes along
        if self._filled:
            return self._filled.popleft()
        return None if self._closing else Batch(self._committer.seq + 1, self._name)

    async def _fly(self, batch: Batch) -> None:
        try:
            await self._committer.commit(batch)
        except replies.Refusal as refusal:
            await self._mend(batch, refusal)
        else:
            self._settle(batch)

    async def _mend(self, refused: Batch, refusal: replies.Refusal) -> None:
        """Find the write that the store refuses; keep all the others, in their order."""
        behind = [*self._filled]
        for batch in reversed([refused, *behind]):
            self._take_back(batch)
        self._filled.clear()
        self._mending = [ticket for batch in behind for ticket in batch.tickets]
        await self._divide(refused.tickets, refusal)
        again, self._mending, self._flying = self._mending, None, None
        for ticket in again:
            self._place(ticket, self._open())

    async def _divide(self, tickets: Sequence[Ticket], refusal: replies.Refusal) -> None:
        if len(tickets) > 1:
            half = len(tickets) // 2
            await self._keep(tickets[:half])
            await self._keep(tickets[half:])
        elif tickets and await self._reconsider(tickets[0], refusal):
            await self._keep(tickets)

    async def _keep(self, tickets: Sequence[Ticket]) -> None:
        batch = Batch(self._committer.seq + 1, self._name)
        for ticket in tickets:
            self._place(ticket, batch)
        try:
            if batch.tickets:
                await self._committer.commit(batch)
        except replies.Refusal as refusal:
            self._take_back(batch)
            await self._divide(batch.tickets, refusal)
        else:
            self._settle(batch)

    async def _reconsider(self, ticket: Ticket, refusal: replies.Refusal) -> bool:
        """Whether a refused write can be judged better, now that its record was read."""
        error: StateError = Rejected(ticket.name, str(refusal))
        try:
            facts = ticket.facts if isinstance(ticket, Write) else ()
            news = self._ledger.enter(await self._read(facts))
        except StateError as found:
            news, error = False, found
        if not news:
            self._end(ticket, error)
        return news

    def _place(self, ticket: Ticket, batch: Batch) -> None:
        """Judge a ticket and put it into the batch, or tell who waits for it why not."""
        try:
            if not ticket.judge(self._ledger, Stamp(batch.number, _now_ms())):
                self._end(ticket)
                return
        except StateError as error:
            self._end(ticket, error)
            return
        try:
            batch.add(ticket)
        except Unencodable as error:
            ticket.take_back(self._ledger)
            self._end(ticket, Rejected(ticket.name, str(error)))
        self._wake.set()

    def _take_back(self, batch: Batch) -> None:
        for ticket in reversed(batch.tickets):
            ticket.take_back(self._ledger)

    def _settle(self, batch: Batch) -> None:
        for ticket in batch.tickets:
            ticket.settle(self._ledger)
            self._end(ticket)

    def _end(self, ticket: Ticket, error: StateError | None = None) -> None:
        self._waiting.discard(ticket)
        ticket.end(error)


def _closed(lane: str) -> Unavailable:
    return Unavailable(f"lane {lane} is closed")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
