"""Forgetting what is old: runs that ended with all that belongs to them, verdicts,
decisions, journal.

What goes, goes through the lane that it belongs to, as facts come: fenced, in order, whole.
A batch of the journal goes when every run, verdict and decision in it has gone; an anchor then
keeps its place in the chain, so that the lines of runs that are kept, and the chain of the
lane, can still be verified. What went is itself said in the journal.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, cast

import anyio.lowlevel

from stratum_state import model
from stratum_state.errors import Rejected
from stratum_state.surreal.cbor import Id, Range
from stratum_state.surreal.lane import Lane
from stratum_state.surreal.reader import Reader
from stratum_state.surreal.ticket import Removal, Stretch

_AT_ONCE = 100  # records, with all that belongs to them, in one transaction
_PAGE = 500
_BODIES = 50  # journal rows that are read at once: each may be large
_LAST = "~"
_NAME = re.compile(r'"run":"([^"]+)"')
_VERDICT = "verdict:"
_DECISION = "decision:"
_LONELY = (_VERDICT, _DECISION)
_LASTING = ("activation:", "standing:")
"""They are few, and kept for good."""

# `ended` is missing where a run was abandoned before it began. What somebody still has to look
# after stays.
_RUNS = """
SELECT id, identity FROM $range WHERE lane = $lane AND active = false AND unresolved != true
  AND due != true AND (ended = NONE OR ended < $before) LIMIT $limit
"""
_VERDICTS = "SELECT id, runs FROM $range WHERE at < $before LIMIT $limit"
_DECISIONS = "SELECT id FROM $range WHERE last < $before LIMIT $limit"
_BATCHES = "SELECT id, prev, hash, body FROM $range WHERE at < $before LIMIT $limit"
_ANCHORS = "SELECT first, last, prev, hash FROM $range"
_LEASE = "SELECT last FROM $lease"
_THERE = "SELECT VALUE id FROM $ids"

_Item = TypeVar("_Item")

log = logging.getLogger(__name__)


class Collected(NamedTuple):
    """How much was removed, or would be."""

    runs: int = 0
    verdicts: int = 0
    batches: int = 0
    """Rows of the journal, but those that only say what was removed."""
    decisions: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What may go."""

    before_ms: int
    """What ended before this time (Unix milliseconds)."""
    limit: int
    """So many of each kind."""


class Collector:
    """Removes the old of some lanes; where a lane has no writer, it is only counted."""

    def __init__(
        self,
        reader: Reader,
        writers: Mapping[str, Lane | None],
        terms: Terms,
        passed: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writers = writers
        self._terms = terms
        self._passed = passed
        self._gone: set[str] = set()
        """Runs and verdicts that are gone by now, or would be."""

    async def collect(self) -> Collected:
        """Raises Unavailable, Fenced; what was removed until then stays removed."""
        newest = {lane: await self._newest(lane) for lane in self._writers}
        runs = sum([await self._runs(lane) for lane in self._writers])
        verdicts = await self._verdicts(next(iter(self._writers)))
        decisions = await self._decisions(next(iter(self._writers)))
        batches = sum([await self._batches(lane, newest[lane]) for lane in self._writers])
        return Collected(runs, verdicts, batches, decisions)

    async def _runs(self, lane: str) -> int:
        """Remove runs that ended before the time, with everything but the journal."""
        params = {
            "range": Id("run", Range(self._begin, _LAST)),
            "lane": lane,
            "before": self._terms.before_ms,
            "limit": self._terms.limit,
        }
        found = await self._reader.query(_RUNS, params)
        ended = [(_key(each), str(each["identity"])) for each in found]
        count = 0
        for part in _parts(ended, _AT_ONCE):
            if await self._remove(lane, Removal(runs=dict(part))):
                self._passed("retention.runs")
                self._gone.update(run for run, _ in part)
                count += len(part)
        return count

    async def _verdicts(self, lane: str) -> int:
        """Remove verdicts older than the time whose runs have all gone, whoever gave them."""
        old: list[str] = []
        async for page in self._pages(_VERDICTS, "verdict", (self._begin, _LAST), _PAGE):
            runs = {_key(each): cast("list[str]", each["runs"]) for each in page}
            there = await self._there("run", {run for each in runs.values() for run in each})
            old += [verdict for verdict, each in runs.items() if there.isdisjoint(each)]
            if len(old) >= self._terms.limit:
                break
        count = 0
        for part in _parts(old[: self._terms.limit], _AT_ONCE):
            if await self._remove(lane, Removal(verdicts=part)):
                self._passed("retention.verdicts")
                self._gone.update(part)
                count += len(part)
        return count

    async def _decisions(self, lane: str) -> int:
        """Remove decisions older than the time, whoever made them."""
        params = {
            "range": Id("decision", Range(self._begin, _LAST)),
            "before": self._terms.before_ms,
            "limit": self._terms.limit,
        }
        found = [_key(each) for each in await self._reader.query(_DECISIONS, params)]
        count = 0
        for part in _parts(found, _AT_ONCE):
            if await self._remove(lane, Removal(decisions=part)):
                self._gone.update(part)
                count += len(part)
        return count

    async def _batches(self, lane: str, newest: int) -> int:
        """Remove the journal's rows in which nothing is left, and anchor the chain.

        The lane's newest row stays: its lease is compared with it.
        """
        count = 0
        async for page in self._pages(_BATCHES, "journal", ([lane, None], [lane, []]), _BODIES):
            if count >= self._terms.limit:
                break
            named = {_link(each): {*_NAME.findall(str(each["body"]))} for each in page}
            there = await self._named({name for names in named.values() for name in names})
            empty = [
                link
                for link, names in named.items()
                if link.last < newest and names and there.isdisjoint(names)
            ][: self._terms.limit - count]
            # Rows that only say what was removed go along: alone they would never end.
            along = [link for link in named if link.last < newest and not named[link]]
            anchors = await self._anchors(lane)
            if empty and await self._remove(lane, removal([*empty, *along], anchors)):
                self._passed("retention.journal")
                count += len(empty)
        return count

    async def _newest(self, lane: str) -> int:
        found = await self._reader.query(_LEASE, {"lease": Id("lease", lane)})
        return cast("int", found[0]["last"]) if found else 0

    async def _anchors(self, lane: str) -> list[Stretch]:
        span = Range([lane, None], [lane, []])
        found = await self._reader.query(_ANCHORS, {"range": Id("anchor", span)})
        return [Stretch(**each) for each in found]  # type: ignore[arg-type]

    async def _named(self, names: Collection[str]) -> set[str]:
        """The chains that are still there, of those that the journal names."""
        lasting = {name for name in names if name.startswith(_LASTING)}
        runs = {name for name in names if not name.startswith((*_LONELY, *_LASTING))}
        there = lasting | await self._there("run", runs)
        for prefix in _LONELY:
            keys = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
            found = await self._there(prefix.removesuffix(":"), keys)
            there |= {f"{prefix}{each}" for each in found}
        return there

    async def _there(self, table: str, keys: Collection[str]) -> set[str]:
        there: set[str] = set()
        for part in _parts(sorted({*keys} - self._gone), _PAGE):
            ids = [Id(table, each) for each in part]
            there.update(map(str, await self._reader.keys(_THERE, {"ids": ids})))
        return there

    async def _pages(
        self, query: str, table: str, span: tuple[object, object], size: int
    ) -> AsyncIterator[list[dict[str, object]]]:
        """The rows between two keys that are older than the time, page by page."""
        keys = Range(*span)
        while True:
            params = {
                "range": Id(table, keys),
                "before": self._terms.before_ms,
                "limit": size,
            }
            page = await self._reader.query(query, params)
            if page:
                yield page
            if len(page) < size:
                return
            keys = Range(cast("Id", page[-1]["id"]).key, span[1], behind=True)
            await anyio.lowlevel.checkpoint()

    async def _remove(self, lane: str, removal: Removal) -> bool:
        writer = self._writers[lane]
        if writer is None:
            return True
        try:
            await writer.add(removal).wait()
        except Rejected as why:  # it has its turn when nothing moves in it any more
            log.warning("not collected", extra={"lane": lane, "why": str(why)})
            return False
        return True

    @property
    def _begin(self) -> str:
        """Where the ids of what is older than the time begin: they count down."""
        return model.run_id(self._terms.before_ms, "")


def removal(batches: Sequence[Stretch], anchors: Sequence[Stretch]) -> Removal:
    """The batches go; one anchor comes for all that follow from each other, and old anchors."""
    groups: list[list[Stretch]] = []
    for each in sorted([*batches, *anchors]):
        if groups and groups[-1][-1].hash == each.prev:
            groups[-1].append(each)
        else:
            groups.append([each])
    goes = [group for group in groups if not {*group}.isdisjoint(batches)]
    return Removal(
        stretches=[each for group in goes for each in group],
        anchors=[
            Stretch(group[0].first, group[-1].last, group[0].prev, group[-1].hash)
            for group in goes
        ],
    )


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _key(row: dict[str, object]) -> str:
    return str(cast("Id", row["id"]).key)


def _link(row: dict[str, object]) -> Stretch:
    number = cast("list[int]", cast("Id", row["id"]).key)[1]
    return Stretch(number, number, str(row["prev"]), str(row["hash"]))
