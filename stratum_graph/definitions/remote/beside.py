"""Scripts from elsewhere for a daemon at work: no load waits for another machine."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import anyio

from stratum_graph.definitions.descriptor import Descriptor, Said
from stratum_graph.definitions.remote.fetcher import Fetcher

_UNDERWAY = "it is being fetched", "what is in force stays until then"


class Beside:
    """Waits for what is fetched until it is served; then it fetches beside the loads.

    A load gets what is kept, and of the rest what came of the time before. When something new
    has come, somebody is told, so that the next load begins.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._is_served = False
        self._known: dict[Descriptor, bytes | Said] = {}
        """What came of the last attempt, if it is not kept."""
        self._fresh: set[Descriptor] = set()
        """Of those, what no load has got yet."""
        self._queued: set[Descriptor] = set()
        self._underway: frozenset[Descriptor] = frozenset()
        self._wake = anyio.Event()
        self._has_news = False

    @property
    def is_due(self) -> bool:
        """Whether a load would get something else, or should ask again."""
        is_idle = not self._queued and not self._underway
        return self._has_news or (is_idle and self._fetcher.is_due)

    async def fetch(self, wanted: Collection[Descriptor]) -> Mapping[Descriptor, bytes | Said]:
        """Each script, or why it is not to be had, or not yet."""
        if not self._is_served:
            return await self._fetcher.fetch(wanted)
        found = {**await self._fetcher.kept(wanted)}
        missing = [each for each in wanted if each not in found]
        for each in missing:
            found[each] = self._known.get(each, _UNDERWAY)
            if each in self._fresh:
                self._fresh.discard(each)
            elif each not in self._underway:
                self._queued.add(each)
                self._wake.set()
        self._known = {each: self._known[each] for each in missing if each in self._known}
        return found

    async def serve(self, done: Callable[[], Awaitable[object]]) -> None:
        """Fetch what loads ask for from now on, until cancelled; `done` begins a load."""
        self._is_served = True
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            self._underway, self._queued = frozenset(self._queued), set()
            came = await self._fetcher.fetch(self._underway)
            self._known |= came
            self._fresh, self._underway = set(came), frozenset()
            self._has_news = True
            await done()
            self._has_news = False
