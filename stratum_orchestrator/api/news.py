"""What has just become durable, kept for a while for those who listen: the ring is bounded.

Listeners hold a place in it and no queue of their own, so none of them can use up memory;
whoever falls behind the ring has missed something, and is told so.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import anyio

from stratum_state.activation import ActivationRecord
from stratum_state.decision import DecisionRecord
from stratum_state.model import Fact, PipelineRun, VerdictRecord
from stratum_state.standing import StandingRecord

KEPT = 4096
"""Facts that a listener may be behind."""


class Item(NamedTuple):
    """One fact and its number."""

    number: int
    fact: Fact


@dataclass(frozen=True, slots=True)
class Missed:
    """The listener's place is not in the ring: it has to read the state anew from here on."""

    number: int
    """Of the latest fact."""


class News:
    """The latest facts of this process."""

    def __init__(self, kept: int = KEPT) -> None:
        self._ring: deque[Item] = deque(maxlen=kept)
        self._change = anyio.Event()
        self.latest = 0
        """The number of the latest fact."""

    def observe(self, facts: Sequence[Fact]) -> None:
        """Take note of facts that have just become durable, and wake whoever waits."""
        for fact in facts:
            self.latest += 1
            self._ring.append(Item(self.latest, fact))
        if facts:
            self._change.set()
            self._change = anyio.Event()

    def behind(self, place: int) -> Sequence[Item] | Missed:
        """What came after that number; Missed when some of it is not kept any more."""
        oldest = self._ring[0].number if self._ring else self.latest + 1
        if place + 1 < oldest or place > self.latest:
            return Missed(self.latest)
        return [item for item in self._ring if item.number > place]

    async def wait(self, place: int) -> None:
        """Return when something came after that number."""
        while self.latest <= place:
            await self._change.wait()


def about(fact: Fact) -> str | None:
    """The run that a fact is a matter of; None for what is of none."""
    match fact:
        case PipelineRun():
            return fact.id
        case VerdictRecord() | ActivationRecord() | StandingRecord() | DecisionRecord():
            return None
        case _:
            return fact.run
