"""What is old enough is forgotten: runs that ended, their verdicts and journals, in batches."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import anyio
import anyio.lowlevel
import anyio.to_thread

from platform_nats.errors import BrokerAway
from stratum_orchestrator.ports import Clock
from stratum_state.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 1000
"""Records of each kind in one go: other writes get their turn in between."""


class Forgetful(Protocol):
    """A store that can forget."""

    async def collect(
        self, before_ms: int, limit: int, *, dry_run: bool = False
    ) -> Sequence[int]:
        """Forget what ended before the time; how much, in the order of `Gone`."""
        ...

    async def plans(self, since_ms: int = 0) -> AbstractSet[str]:
        """The digests of the plans of all runs, but those that ended before a time."""
        ...


class Wasteful(Protocol):
    """A store that needs more and more room for the same records, until it is compacted."""

    async def renew(self, waste: int) -> object:
        """Compact it if so many bytes of it are of no use."""
        ...


class Stream(Protocol):
    """A stream of events that ends nothing by itself."""

    async def shorten(self, before_ms: int) -> int:
        """Let go of what was stored before the time and was judged; how many events."""
        ...


class Disused(Protocol):
    """Content by digest, as far as nobody has used it for long."""

    def unused(self, but: Collection[str]) -> Mapping[str, int]:
        """Digest to bytes."""
        ...

    def remove(self, digest: str) -> bool:
        """False when somebody has used it meanwhile."""
        ...


class Gone(NamedTuple):
    """How many records went, or would go."""

    runs: int = 0
    verdicts: int = 0
    journal: int = 0
    """Rows of it."""
    decisions: int = 0


class Swept(NamedTuple):
    """How much content went, or would go."""

    files: int = 0
    size: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Plans and trees of scripts that no run on record needs, and no generation in force."""

    disused: Disused
    store: Forgetful
    trees_of: Callable[[str], Collection[str]]
    """The trees that a plan needs; none when it cannot be read."""
    in_force: Callable[[], Collection[str]] = tuple
    """What new runs would need."""

    async def collect(self, since_ms: int = 0, *, dry_run: bool = False) -> Swept:
        """Remove it, a batch at a time; with `dry_run`, as if what ended before had gone.

        Raises Unavailable, OSError.
        """
        found = await self._unused(())
        if found:
            plans = await self.store.plans(since_ms)
            found = await self._unused(await anyio.to_thread.run_sync(self._needed, plans))
        if dry_run:
            return Swept(len(found), sum(found.values()))
        swept = Swept()
        digests = sorted(found)
        for start in range(0, len(digests), BATCH):
            part = digests[start : start + BATCH]
            gone = await anyio.to_thread.run_sync(self._remove, part)
            swept = Swept(
                swept.files + len(gone), swept.size + sum(found[each] for each in gone)
            )
        return swept

    async def _unused(self, needed: Collection[str]) -> Mapping[str, int]:
        but = {*needed, *self.in_force()}
        return await anyio.to_thread.run_sync(self.disused.unused, but)

    def _needed(self, plans: AbstractSet[str]) -> Collection[str]:
        return {*plans, *(tree for each in plans for tree in self.trees_of(each))}

    def _remove(self, digests: Sequence[str]) -> Sequence[str]:
        return [each for each in digests if self.disused.remove(each)]


async def slim(store: Wasteful, waste: int, every_s: float) -> None:
    """Keep the store from growing for ever, until cancelled."""
    while True:
        await anyio.sleep(every_s)
        try:
            await store.renew(waste)
        except Unavailable:
            log.info("store not compacted: it is away")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The stream keeps events as long as their records are kept, and until they are judged."""

    stream: Stream
    clock: Clock
    age_s: float
    """Zero keeps them as long as there is room."""

    async def watch(self, every_s: float) -> None:
        """Shorten the stream again and again, until cancelled."""
        while True:
            try:
                await self.shorten()
            except BrokerAway:
                log.info("stream not shortened: the broker is away")
            await anyio.sleep(every_s)

    async def shorten(self) -> None:
        """Raises BrokerAway."""
        oldest_ms = self.clock.now_ms() - round(self.age_s * 1000) if self.age_s else 0
        gone = await self.stream.shorten(oldest_ms)
        if gone:
            log.info("stream shortened", extra={"events": gone})


class Retention:
    """Keeps records for an age, and no longer."""

    def __init__(
        self, store: Forgetful, clock: Clock, age_s: float, backlog: Backlog | None = None
    ) -> None:
        """The stream goes first: an event must not outlive its verdict in it."""
        self._store = store
        self._clock = clock
        self._age_s = age_s
        self._backlog = backlog

    async def watch(self, every_s: float, content: Content) -> None:
        """Collect again and again, the content that nobody needs then too, until cancelled."""
        while True:
            await anyio.sleep(every_s)
            try:
                if self._backlog:
                    await self._backlog.shorten()
                gone = await self.collect()
                swept = await content.collect()
            except (Unavailable, BrokerAway) as why:
                log.info("nothing collected", extra={"why": str(why)})
                continue
            except OSError as why:
                log.warning("content not collected", extra={"why": str(why)})
                continue
            if any(gone) or swept.files:
                extra = {**gone._asdict(), **swept._asdict()}
                log.info("old records collected", extra=extra)

    async def collect(self) -> Gone:
        """Collect until nothing is left; how much went."""
        before_ms = self._clock.now_ms() - round(self._age_s * 1000)
        total = Gone()
        while True:
            gone = Gone(*await self._store.collect(before_ms, BATCH))
            total = Gone(*(a + b for a, b in zip(total, gone, strict=True)))
            if not any(gone):
                return total
            await anyio.lowlevel.checkpoint()
