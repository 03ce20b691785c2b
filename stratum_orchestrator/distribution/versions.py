"""Which versions there are: what was in force, what else is kept, and which runs hold what."""

from collections.abc import Mapping, Sequence

import anyio

from stratum_orchestrator.api.desk import Version
from stratum_orchestrator.distribution.supply import Supply
from stratum_orchestrator.saga.edition import named
from stratum_state.store import RunFilter
from stratum_state.tracker import StateTracker

HISTORY = 1000
"""How many activations are looked at."""
_PAGE = 200
_SHOWN = 5  # runs that are named for a version


async def versions(supply: Supply, tracker: StateTracker) -> Sequence[Version]:
    """The bundles of a source that were in force, the latest first; then the others kept.

    Folders have no version beside the one that they are, whatever the cache holds.
    """
    found = await tracker.activations(limit=HISTORY)
    history = [each for each in found if each.source == supply.name]
    running = await _running(tracker)
    cached = set(await anyio.to_thread.run_sync(supply.held))
    last = {each.digest: each for each in reversed(history)}
    known = [
        Version(
            digest=each.digest,
            generation=each.generation,
            signer=each.signer,
            activated=each.at,
            by=each.by,
            is_active=each.digest == history[0].digest,
            is_cached=each.digest in cached,
            live_runs=len(held),
            runs=tuple(held[:_SHOWN]),
        )
        for each in sorted(last.values(), key=lambda each: each.id)
        for held in [(*running.get(each.digest, ()), *running.get(each.generation, ()))]
    ]
    others = sorted(cached - last.keys()) if supply.is_bundle else ()
    return [*known, *(_unused(each, running) for each in others)]


def _unused(digest: str, running: Mapping[str, list[str]]) -> Version:
    """A version that was fetched, and never in force."""
    held = running.get(digest, [])
    return Version(
        digest=digest,
        generation="",
        signer="",
        activated=None,
        by="",
        is_active=False,
        is_cached=True,
        live_runs=len(held),
        runs=tuple(held[:_SHOWN]),
    )


async def _running(tracker: StateTracker) -> Mapping[str, list[str]]:
    """Digest to the live runs that began with it, newest first.

    Of the version, for runs whose event named one; otherwise of the graph.
    """
    found: dict[str, list[str]] = {}
    after: str | None = None
    while page := await tracker.runs(RunFilter(live=True), after=after, limit=_PAGE):
        for run in page:
            found.setdefault(named(run) or run.generation, []).append(run.id)
        after = page[-1].id
    return found
