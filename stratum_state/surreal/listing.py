"""Lists of runs, verdicts and decisions, newest first: what people page through and search."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from stratum_state.account import Row
from stratum_state.decision import DecisionRecord
from stratum_state.model import RUN_ENDS, Fact, PipelineRun, VerdictRecord, first_id
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter
from stratum_state.surreal.cbor import Id, Range

_LAST = "~"  # behind every character of an id
_CONDITIONS = {
    "status": "status = $status",
    "pipeline": "pipeline = $pipeline",
    "publisher": "publisher = $publisher",
    "kind": "kind = $kind",
    "principal": "principal = $principal",
    "action": "action = $action",
}
_RUN_TEXT = (
    "string::contains(string::lowercase(string::concat(<string> record::id(id), '\\n', subject,"
    " '\\n', event_id, '\\n', principal, '\\n', cause ?? '')), $text)"
)
_VERDICT_TEXT = (
    "string::contains(string::lowercase(string::concat(event_id, '\\n', subject, '\\n',"
    " publisher, '\\n', code)), $text)"
)
_ACTIVE = "SELECT VALUE id FROM run WHERE active = true"
_UNRESOLVED = "SELECT VALUE id FROM run WHERE unresolved = true"

Query = Callable[[str, Mapping[str, object]], Awaitable[Sequence[Row]]]
"""Rows that a query finds."""
Keys = Callable[[str, Mapping[str, object]], Awaitable[Sequence[object]]]
"""Keys of the ids that a query finds."""


class Listing:
    """What is on record, in pages."""

    def __init__(self, query: Query, keys: Keys) -> None:
        self._query = query
        self._keys = keys

    async def runs(self, wanted: RunFilter, after: str | None, limit: int) -> list[PipelineRun]:
        """Newest first, beginning behind the id `after`."""
        is_live = wanted.live or (wanted.status is not None and wanted.status not in RUN_ENDS)
        if wanted.unresolved or is_live:
            index = _UNRESOLVED if wanted.unresolved else _ACTIVE
            return await self._indexed(index, wanted, after or "", limit)
        given = {
            "status": wanted.status,
            "pipeline": wanted.pipeline,
            "publisher": wanted.publisher,
        }
        where = _conditions(given, wanted.text, _RUN_TEXT)
        span = _span("run", after, wanted.since, wanted.until)
        found = await self._page(where, given | {"text": wanted.text, "range": span}, limit)
        return [cast("PipelineRun", each) for each in found]

    async def verdicts(
        self, wanted: VerdictFilter, after: str | None, limit: int
    ) -> list[VerdictRecord]:
        """Newest first, beginning behind the id `after`."""
        given = {"kind": wanted.kind}
        where = _conditions(given, wanted.text, _VERDICT_TEXT)
        span = _span("verdict", after, None, None)
        found = await self._page(where, given | {"text": wanted.text, "range": span}, limit)
        return [cast("VerdictRecord", each) for each in found]

    async def decisions(
        self, wanted: DecisionFilter, after: str | None, limit: int
    ) -> list[DecisionRecord]:
        """Newest first, beginning behind the id `after`."""
        given = {"kind": wanted.kind, "principal": wanted.principal, "action": wanted.action}
        where = _conditions(given, None, "")
        found = await self._page(
            where, given | {"range": _span("decision", after, None, None)}, limit
        )
        return [cast("DecisionRecord", each) for each in found]

    async def _page(
        self, where: str, params: Mapping[str, object], limit: int
    ) -> Sequence[Fact]:
        said = {
            name: value.lower() if name == "text" and isinstance(value, str) else value
            for name, value in params.items()
            if value is not None
        }
        question = f"SELECT * FROM $range {where} LIMIT $limit"  # noqa: S608 - of ours alone
        return [row.fact for row in await self._query(question, said | {"limit": limit})]

    async def _indexed(
        self, index: str, wanted: RunFilter, after: str, limit: int
    ) -> list[PipelineRun]:
        """Of the few that an index names; what else is wanted of them is seen here."""
        behind = sorted(run for run in map(str, await self._keys(index, {})) if run > after)
        found: list[PipelineRun] = []
        for start in range(0, len(behind), limit):
            page = [Id("run", run) for run in behind[start : start + limit]]
            rows = await self._query("SELECT * FROM $ids", {"ids": page})
            runs = [cast("PipelineRun", row.fact) for row in rows]
            found += [run for run in runs if wanted.takes(run)]
            if len(found) >= limit:
                break
        return found[:limit]


def _conditions(given: Mapping[str, object], text: str | None, in_text: str) -> str:
    asked = [_CONDITIONS[name] for name, value in given.items() if value is not None]
    if text:
        asked.append(in_text)
    return f"WHERE {' AND '.join(asked)}" if asked else ""


def _span(table: str, after: str | None, since: int | None, until: int | None) -> Id:
    """The ids behind `after`, of what was stored within the times."""
    newer = "" if until is None else first_id(until) + _LAST
    low = max(after or "", newer)
    high = _LAST if since is None else first_id(since) + _LAST
    return Id(table, Range(low, max(low, high), behind=bool(low)))
