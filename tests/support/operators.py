"""An operator at a desk in front of a saga in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from stratum_graph.model import Principal
from stratum_orchestrator.ports import Authorizer
from stratum_orchestrator.saga.attention import Watchlist
from stratum_orchestrator.saga.deadlines import Deadlines
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.operations import Elsewhere, Operations
from stratum_orchestrator.saga.recovery import resume
from stratum_orchestrator.saga.restraint import Restraint
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state.tracker import StateTracker
from support.saga import Everyone, World

WISH = Wish(by="olga", reason="it has to be")


class Alone:
    """The only instance there is."""

    @asynccontextmanager
    async def holding(self, run_id: str, *, adopt: bool) -> AsyncIterator[bool]:
        del run_id, adopt
        yield True


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A daemon in memory, and what an operator can do with it."""

    world: World
    tracker: StateTracker
    live: LiveRuns
    operations: Operations
    watchlist: Watchlist
    restraint: Restraint
    deadlines: Deadlines
    needing: list[int]
    """How many runs needed a person, at each look."""

    async def accept(self) -> str:
        return await self.world.accept(self.tracker, self.live)

    async def needs(self) -> dict[str, str]:
        """The runs that need a person, and the code of the reason."""
        found = await self.watchlist.needy(after=None, limit=50)
        return {each.run.id: each.attention.code for each in found}


async def silence(_what: str) -> None:
    """Nobody is told."""


async def nobody(_run: str, _text: str) -> None:
    """There are no other instances."""


@asynccontextmanager
async def desk(
    world: World,
    authorizer: Authorizer | None = None,
    elsewhere: Elsewhere = nobody,
    overdue_s: float = 60,
    people: Sequence[Principal] = (),
) -> AsyncIterator[Desk]:
    """One life of the daemon, from its recovery on; leaving it lets the runs end."""
    async with world.daemon() as (tracker, live):
        rules = Rules(
            generation=world.generation,
            principals={each.key: each for each in people},
            authorizer=authorizer or Everyone(),
            standing=live.standings.of,
        )
        await resume(tracker, live)
        rulings = Rulings(tracker.record, world.clock)
        operations = Operations(
            operator=Principal(key="UOPERATOR", name="operator", groups=("operators",)),
            rules=lambda: rules,
            rulings=rulings,
            tracker=tracker,
            live=live,
            clock=world.clock,
            custody=Alone(),
            elsewhere=elsewhere,
            patience_s=0,
        )
        restraint = Restraint(
            operator=operations.operator,
            rules=operations.rules,
            rulings=rulings,
            tracker=tracker,
            live=live,
            clock=world.clock,
            tell=silence,
            turn=operations.turn,
        )
        deadlines = Deadlines(
            tracker=tracker,
            live=live,
            clock=world.clock,
            custody=operations.custody,
            turn=operations.turn,
        )
        needing: list[int] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(restraint.release)
            tasks.start_soon(rulings.keep)
            yield Desk(
                world=world,
                tracker=tracker,
                live=live,
                operations=operations,
                watchlist=Watchlist(tracker, live, overdue_s, needing.append),
                restraint=restraint,
                deadlines=deadlines,
                needing=needing,
            )
            tasks.cancel_scope.cancel()
