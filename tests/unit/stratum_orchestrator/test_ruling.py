"""Decisions are kept beside what goes on: a store that is away delays nobody for long."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from stratum_graph.model import Principal
from stratum_orchestrator.saga.delegation import Asker, Matter
from stratum_orchestrator.saga.ruling import Rulings
from stratum_orchestrator.supervision import background
from stratum_state.errors import Rejected, StateError, Unavailable
from stratum_state.memory import MemoryStore
from stratum_state.model import Fact
from stratum_state.store import DecisionFilter
from support.desk import FixedClock
from support.saga import Everyone
from support.wait import until

VERA = Asker(principal=Principal(key="UVERA", name="vera"))


@dataclass
class Book:
    """A store that may be away."""

    store: MemoryStore = field(default_factory=MemoryStore)
    trouble: list[StateError] = field(default_factory=list)

    async def record(self, *facts: Fact) -> None:
        if self.trouble:
            raise self.trouble.pop()
        await self.store.write(facts)

    async def count(self) -> int:
        kept = await self.store.decisions(DecisionFilter(), after=None, limit=99)
        return sum(each.count for each in kept)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def rulings(book: Book) -> AsyncIterator[Rulings]:
    rulings = Rulings(book.record, FixedClock())
    async with background(rulings.keep):
        yield rulings


def ask(rulings: Rulings, action: str = "retry") -> None:
    """Of somebody who may not."""
    matter = Matter(action=action, pipeline="p", now_ms=0, about={})
    decision = Everyone(but="p").decide(VERA.principal, action, "p", {})
    rulings.note(VERA, matter, decision)


async def test_what_is_settled_is_on_record(book: Book, rulings: Rulings) -> None:
    ask(rulings)
    await rulings.settle()

    assert await book.count() == 1


async def test_a_store_that_is_away_keeps_nobody_waiting_and_gets_it_later(
    book: Book, rulings: Rulings
) -> None:
    book.trouble.append(Unavailable("away"))
    ask(rulings)

    await rulings.settle(within_s=0)
    assert await book.count() == 0
    await rulings.settle(within_s=10)

    assert await book.count() == 1


async def test_what_is_denied_again_and_again_is_in_the_log_once(
    rulings: Rulings, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        ask(rulings)
        await rulings.settle()

    assert caplog.messages.count("command denied") == 1


async def test_what_the_store_refuses_stops_nothing_else(book: Book, rulings: Rulings) -> None:
    book.trouble.append(Rejected("a decision", "cannot be said"))
    ask(rulings)
    await rulings.settle()
    ask(rulings, "cancel")
    await until(lambda: not book.trouble)
    await rulings.settle()

    assert await book.count() == 1


async def test_what_was_only_counted_is_written_at_the_end(book: Book) -> None:
    rulings = Rulings(book.record, FixedClock())
    async with background(rulings.keep):
        for _ in range(5):
            ask(rulings)
            await rulings.settle()
        assert await book.count() == 1
    await rulings.close()

    assert await book.count() == 5
