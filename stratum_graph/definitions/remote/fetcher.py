"""Scripts from elsewhere for one load of definitions: kept ones, and those that are fetched."""

import logging
import os
import time
from collections.abc import Collection, Mapping
from hashlib import sha256

import anyio
import msgspec

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.descriptor import Descriptor, Said, Source
from stratum_graph.definitions.remote.places import Places
from stratum_graph.definitions.remote.refusal import NotFetched
from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.reach import Reach
from stratum_graph.errors import DigestMismatch, UnknownContent

_AT_ONCE = 4
_LONGEST_S = 60.0
"""However long a definition would wait: a start waits as well."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 300.0
_CLOSED = "nothing is fetched for a bundle, and it does not hold the script", "publish it anew"

log = logging.getLogger(__name__)


class Fetcher:
    """Has each script once: what is kept under its digest is not fetched again."""

    def __init__(
        self,
        places: Places,
        content: ContentStore,
        reach: Reach | None = None,
        *,
        pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        """Keep in `content`, or in the store that the places name where there is one.

        What could not be had is due again after the pause, and then ever more rarely.
        """
        self._first_pause_s = pause_s
        self._places = places
        self._reach = reach or Reach(places.hosts)
        self._content = content
        if places.kept is not None and os.access(places.kept, os.R_OK | os.W_OK | os.X_OK):
            self._content = ContentStore(places.kept)
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._again_at = float("inf")
        self._pause_s = pause_s

    @property
    def is_due(self) -> bool:
        """Whether what could not be had should be asked for again though nothing changed."""
        return time.monotonic() >= self._again_at

    async def fetch(self, wanted: Collection[Descriptor]) -> Mapping[Descriptor, bytes | Said]:
        """Each script as bytes that were compared, or why it is not to be had."""
        found = await self.kept(wanted)
        missing = [each for each in wanted if each not in found]
        pass_ = _Pass(self._places, self._reach, self._limiter)
        async with anyio.create_task_group() as tasks:
            for each in missing:
                tasks.start_soon(pass_.fetch, each)
        try:
            await anyio.to_thread.run_sync(self._keep, pass_.found)
        except OSError as error:
            log.warning("scripts not kept", extra={"why": str(error)})
        self._remember(failed=any(not isinstance(x, bytes) for x in pass_.found.values()))
        return {**found, **pass_.found}

    async def kept(self, wanted: Collection[Descriptor]) -> Mapping[Descriptor, bytes | Said]:
        """Those that need not be fetched."""
        return await anyio.to_thread.run_sync(self._kept, wanted)

    def _kept(self, wanted: Collection[Descriptor]) -> dict[Descriptor, bytes | Said]:
        found: dict[Descriptor, bytes | Said] = {}
        for each in wanted:
            try:
                content = self._content.get(f"sha256:{each.sha256}")
                self._content.keeps(f"sha256:{each.sha256}")
            except (UnknownContent, DigestMismatch):  # what was damaged is fetched again
                continue
            found[each] = content
        return found

    def _keep(self, found: Mapping[Descriptor, bytes | Said]) -> None:
        self._content.put_all(
            [
                content
                for each, content in found.items()
                if isinstance(content, bytes) and sha256(content).hexdigest() == each.sha256
            ]
        )

    def _remember(self, *, failed: bool) -> None:
        if not failed:
            self._again_at, self._pause_s = float("inf"), self._first_pause_s
            return
        self._again_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


class _Pass:
    """One time of asking everybody: who does not answer is not waited for again."""

    def __init__(self, places: Places, reach: Reach, limiter: anyio.CapacityLimiter) -> None:
        self.found: dict[Descriptor, bytes | Said] = {}
        self._places = places
        self._reach = reach
        self._limiter = limiter
        self._away: dict[str, Said] = {}

    async def fetch(self, wanted: Descriptor) -> None:
        async with self._limiter:
            try:
                self.found[wanted] = await self._ask(wanted)
            except NotFetched as refused:
                said = refused.why, refused.remedy
                self.found[wanted] = said
                if refused.away:
                    self._away[refused.away] = said

    async def _ask(self, wanted: Descriptor) -> bytes:
        if self._places.is_closed:
            raise NotFetched(*_CLOSED)
        source = wanted.source or Source(type="file")
        timeout = min(source.timeout, _LONGEST_S)
        source = msgspec.structs.replace(source, timeout=timeout)
        began, cord = time.monotonic(), Cord()
        given = (source, self._places, self._reach, cord)
        try:
            content = await anyio.to_thread.run_sync(
                _fetch, wanted, given, self._away, abandon_on_cancel=True
            )
        finally:
            cord.end()  # what is abandoned ends at once
        took_ms = round((time.monotonic() - began) * 1000)
        facts = {"uri": wanted.uri.partition("?")[0], "bytes": len(content), "ms": took_ms}
        log.info("script fetched", extra={**facts, "sha256": wanted.sha256})
        return content


_Given = tuple[Source, Places, Reach, Cord]


def _fetch(wanted: Descriptor, given: _Given, away: Mapping[str, Said]) -> bytes:
    """Ask whom the descriptor names; loaded only now, for it takes long to import."""
    source, places, reach, cord = given
    if source.type == "oci":
        from stratum_graph.definitions.remote import artifact  # noqa: PLC0415

        host = wanted.uri.removeprefix("oci://").partition("/")[0]
        _not_away(host, away)
        return artifact.fetch(wanted, *given)
    from stratum_graph.definitions.remote import asking, download  # noqa: PLC0415

    asked = asking.request(wanted, source, places)
    _not_away(asked.host, away)
    return download.Download(reach, places.ca, cord).get(asked, source.timeout)


def _not_away(host: str, away: Mapping[str, Said]) -> None:
    if host in away:
        raise NotFetched(*away[host])
