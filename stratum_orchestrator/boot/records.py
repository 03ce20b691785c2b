"""The step `surrealdb`: the store, and the tracker before it."""

from dataclasses import dataclass
from functools import partial

from stratum_orchestrator import storage
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.saga.ruling import Rulings
from stratum_orchestrator.saga.standings import Standings
from stratum_orchestrator.startup import patiently
from stratum_state.head import Signer
from stratum_state.surreal import SurrealStore
from stratum_state.tracker import StateTracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Where every fact goes first."""

    store: SurrealStore
    tracker: StateTracker
    standings: Standings
    """Which pipelines are held back."""
    rulings: Rulings
    """What the policies decide about commands."""


async def open_records(frame: Frame) -> Records:
    """Open the store; a server that is away is waited for, an embedded one is not."""
    url = storage.database_url(frame.settings, frame.home)
    key, passed = frame.key, frame.points.passed
    signer = Signer(key.public, frame.settings.instance.name, key.sign)
    opening = partial(
        storage.opening, frame.settings, frame.home, signer, passed, frame.mischief
    )
    store = await patiently(
        lambda: frame.stack.enter_async_context(opening()),
        frame.settings.instance.patience if frame.settings.surrealdb.url else 0,
    )
    await frame.beside(store.failure)
    frame.ears.listeners += [frame.metrics.observe, frame.verdicts.observe]
    tracker = StateTracker(store, frame.ears, frame.metrics.wrote, frame.points.recorded)
    tracker.told_of_adoption = frame.metrics.adopt
    frame.points.passed("store.opened")
    frame.health.watch("surrealdb", lambda: (store.available, url))
    standings = Standings()
    standings.take(await tracker.standings())
    rulings = Rulings(tracker.record, frame.clock, frame.settings.instance.name)
    frame.stack.push_async_callback(rulings.close)
    await frame.beside(rulings.keep)
    return Records(store=store, tracker=tracker, standings=standings, rulings=rulings)
