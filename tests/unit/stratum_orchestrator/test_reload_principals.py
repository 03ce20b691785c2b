"""Whoever is let in by the broker is known to those who judge events by then."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from platform_nats.errors import BrokerAway
from stratum_graph.generation import compile_graph
from stratum_graph.model import Principal
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.reload.reader import Found, Reader
from stratum_orchestrator.reload.reloader import Reloader, Surroundings
from stratum_orchestrator.saga.rules import Rules
from support.desk import FixedClock
from support.people import ADA, BOT
from support.saga import Everyone

NOWHERE = Path("/nowhere")
GENERATION = compile_graph(()).generation
ALONE = Found(
    generation=GENERATION,
    principals={ADA.key: ADA},
    authorizer=None,
    policies="sha256:p",
    diagnostics=(),
)
BOTH = replace(ALONE, principals={ADA.key: ADA, BOT.key: BOT})
LetIn = Callable[[Mapping[str, Principal]], Awaitable[None]]


@dataclass
class Shelf:
    """What there is to read."""

    now: Found

    async def read(self, _: Sources) -> Found:
        return self.now


def sources() -> Sources:
    return Sources(
        folders=(),
        library=NOWHERE,
        principals=NOWHERE,
        policies=NOWHERE,
        subjects=(),
        access=NOWHERE,
    )


def rules(found: Found) -> Rules:
    assert found.generation is not None
    return Rules(
        generation=found.generation, principals=found.principals, authorizer=Everyone()
    )


def reloader(shelf: Shelf, let_in: LetIn) -> Reloader:
    """One that has what is on the shelf in force."""
    around = Surroundings(
        resolve=sources,
        rules=rules,
        let_in=let_in,
        told=lambda _outcome, _nodes: None,
        passed=lambda _: None,
        clock=FixedClock(),
    )
    return Reloader(rules(shelf.now), shelf.now, cast("Reader", shelf), around)


async def test_who_is_let_in_is_known_and_who_is_sent_away_is_not() -> None:
    known: list[set[str]] = []

    async def let_in(_: Mapping[str, Principal]) -> None:
        known.append(set(made.rules.principals))

    shelf = Shelf(ALONE)
    made = reloader(shelf, let_in)
    for each in (BOTH, ALONE):
        shelf.now = replace(each)
        await made.reload("a test")

    assert known == [{ADA.key, BOT.key}, {ADA.key}]


async def test_a_broker_that_does_not_take_it_leaves_all_as_it_was() -> None:
    async def let_in(_: Mapping[str, Principal]) -> None:
        raise BrokerAway("test")

    shelf = Shelf(ALONE)
    made = reloader(shelf, let_in)
    shelf.now = BOTH

    outcome = await made.reload("a test")

    assert outcome.kind == "failed"
    assert set(made.rules.principals) == {ADA.key}


async def test_the_broker_is_told_of_other_principals_alone() -> None:
    told: list[set[str]] = []

    async def let_in(principals: Mapping[str, Principal]) -> None:
        told.append(set(principals))

    shelf = Shelf(ALONE)
    made = reloader(shelf, let_in)
    shelf.now = replace(ALONE)

    assert (await made.reload("a test")).kind == "live"
    assert told == []
