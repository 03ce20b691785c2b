"""What is on record, read back. Few at a time: the engine has no more threads than cores."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import anyio

from stratum_state import journal, moves
from stratum_state.account import Account, Row
from stratum_state.activation import ActivationRecord
from stratum_state.errors import Rejected, Taken, Unavailable
from stratum_state.evidence import Evidence
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import StandingRecord, latest
from stratum_state.surreal import evidence, replies, rows
from stratum_state.surreal.cbor import Id, Range, Unencodable
from stratum_state.surreal.listing import Listing
from stratum_state.surreal.transport import Transport

_AT_ONCE = 2  # of the engine within this process
_AT_ONCE_THERE = 8  # of a server
_WITHIN_S = 30
_WITHIN_THERE_S = 10
_LAST = "~"  # behind every character of an id
_HASH = 12  # how much of the identity a run's id ends with
_MATCHES = 1000
_QUESTION = "a question"

_RUN = """
RETURN array::flatten([
  (SELECT * FROM $run), (SELECT * FROM $steps), (SELECT * FROM $undone), (SELECT * FROM $lent),
  (SELECT * FROM $asked), (SELECT * FROM $answered)
])
"""
_EVIDENCE = """
RETURN {
  rows: array::flatten([
    (SELECT * FROM $run), (SELECT * FROM $steps), (SELECT * FROM $undone),
    (SELECT * FROM $lent), (SELECT * FROM $asked), (SELECT * FROM $answered)
  ]),
  heads: (SELECT * FROM $heads)
}
"""
_ACTIVE = "SELECT VALUE id FROM run WHERE active = true AND lane = $lane LIMIT $limit"
_DUE = "SELECT VALUE id FROM run WHERE due = true AND lane = $lane LIMIT $limit"
_OPEN = """
SELECT VALUE id FROM credential_lease WHERE open = true AND lane = $lane LIMIT $limit
"""
_ASKING = "SELECT VALUE id FROM checkpoint WHERE open = true"
_UNTOLD = """
SELECT VALUE id FROM checkpoint WHERE open = true AND lane = $lane AND due = true
"""
_PLANS = """
SELECT id, plan FROM $range
  WHERE active = true OR unresolved = true OR ended = NONE OR ended >= $since LIMIT $limit
"""
_PLANS_AT_ONCE = 1000
_MOST = 1 << 31
_ACTIVATIONS = "SELECT * FROM $range LIMIT $limit"
_STANDINGS = "SELECT * FROM standing"
_MATCH = """
RETURN {
  ids: (SELECT VALUE id FROM $ids LIMIT $limit),
  runs: (SELECT VALUE run FROM $hashes LIMIT $limit)
}
"""


class Kept(NamedTuple):
    """A run as it is on record: all its rows, and the lane that it belongs to."""

    lane: str
    rows: Sequence[Row]


class Reader:
    """Reads beside the lanes; sees only what is durable. Raises Unavailable, Rejected."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        there = transport.comes_back
        self._turn = anyio.Semaphore(_AT_ONCE_THERE if there else _AT_ONCE)
        self._within_s = _WITHIN_THERE_S if there else _WITHIN_S
        self.listing = Listing(self._rows, self.keys)

    async def kept(self, run_id: str) -> Kept | None:
        """The run, whatever lane it belongs to."""
        found = await self._found(run_id)
        lane = next((str(each["lane"]) for each in found if "lane" in each), None)
        return None if lane is None else Kept(lane, await self._decoded(found))

    async def on_record(self, lane: str, facts: Sequence[Fact]) -> list[Row]:
        """Every row of the chains that the facts of a lane belong to.

        Raises Taken when an identity, or the run itself, is another's.
        """
        begun = [each for each in facts if isinstance(each, PipelineRun)]
        held = await self.inbox([run.identity for run in begun])
        for run in begun:
            if held.get(run.identity, run.id) != run.id:
                raise Taken(run.identity)
        said = [each for each in facts if isinstance(each, moves.LONELY)]
        found = await self._decoded(await self._select([rows.row_id(each) for each in said]))
        runs = {moves.chain(each) for each in facts if not isinstance(each, moves.LONELY)}
        for kept in [await self.kept(each) for each in sorted(runs)]:
            if kept is not None and kept.lane != lane:
                raise Taken(_identity(kept))
            found += kept.rows if kept else ()
        return found

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        found = await self._select([Id("inbox", each) for each in identities])
        return {str(_key(each)): cast("str", each["run"]) for each in found}

    async def verdict(self, verdict_id: str) -> VerdictRecord | None:
        found = await self._decoded(await self._select([Id("verdict", verdict_id)]))
        return cast("VerdictRecord", found[0].fact) if found else None

    async def activations(self, limit: int) -> list[ActivationRecord]:
        params = {"range": Id("activation", Range("", _LAST)), "limit": limit}
        found = await self._decoded(await self.query(_ACTIVATIONS, params))
        return [cast("ActivationRecord", row.fact) for row in found]

    async def standings(self) -> Sequence[StandingRecord]:
        found = await self._decoded(await self.query(_STANDINGS, {}))
        return latest(cast("StandingRecord", row.fact) for row in found)

    async def trail(self, run_id: str) -> Trail | None:
        kept = await self.kept(run_id)
        return trail(kept.rows) if kept else None

    async def unfinished(self, lane: str) -> list[Kept]:
        """Every run of the lane that is not over, oldest first."""
        found = await self.keys(_ACTIVE, {"lane": lane, "limit": _MOST})
        runs = sorted(map(str, found), reverse=True)
        kept = [await self.kept(run) for run in runs]
        return [each for each in kept if each is not None]

    async def due(self, lane: str) -> list[Kept]:
        """Every run of the lane of which something is still to be published, oldest first."""
        found = {*map(str, await self.keys(_DUE, {"lane": lane, "limit": _MOST}))}
        found |= await self._runs_of(_UNTOLD, {"lane": lane})
        kept = [await self.kept(run) for run in sorted(found, reverse=True)]
        return [each for each in kept if each is not None]

    async def asking(self, after: str, limit: int) -> list[str]:
        """The runs with an open question, newest first, beginning behind the id `after`."""
        found = await self._runs_of(_ASKING, {})
        return sorted(run for run in found if run > after)[:limit]

    async def indebted(self, lane: str) -> list[Kept]:
        """Every run of the lane to which something is lent."""
        runs = sorted(await self._runs_of(_OPEN, {"lane": lane, "limit": _MOST}), reverse=True)
        kept = [await self.kept(run) for run in runs]
        return [each for each in kept if each is not None]

    async def has_unfinished(self, lane: str) -> bool:
        """Whether a run of the lane is not over, unpublished, or has something lent to it."""
        params = {"lane": lane, "limit": 1}
        for query in (_ACTIVE, _DUE, _OPEN):
            if await self._call(query, params):
                return True
        return False

    async def lane(self, run_id: str) -> str | None:
        """The lane that the run belongs to."""
        found = await self._call("SELECT VALUE lane FROM $run", {"run": Id("run", run_id)})
        return str(found[0]) if isinstance(found, list) and found and found[0] else None

    async def plans(self, since_ms: int) -> set[str]:
        """The plans of all runs but those that ended before a time."""
        found: set[str] = set()
        after: str | None = None
        while True:
            span = Id("run", Range(after or "", _LAST, behind=after is not None))
            params = {"range": span, "since": since_ms, "limit": _PLANS_AT_ONCE}
            page = await self.query(_PLANS, params)
            found.update(str(each["plan"]) for each in page)
            if len(page) < _PLANS_AT_ONCE:
                return found
            after = str(_key(page[-1]))

    async def match(self, prefix: str, limit: int) -> list[str]:
        hashes = prefix if 0 < len(prefix) <= _HASH else _LAST
        params = {
            "ids": _begins("run", prefix),
            "hashes": _begins("inbox", hashes),
            "limit": max(limit, _MATCHES),
        }
        found = cast("dict[str, list[object]]", await self._call(_MATCH, params))
        ids = {str(cast("Id", each).key) for each in found["ids"]}
        return sorted(ids | {str(each) for each in found["runs"]})[:limit]

    async def journal(self, run_id: str) -> list[JournalLine]:
        kept = await self.kept(run_id)
        if kept is None:
            return []
        numbers = sorted({each for row in kept.rows for each in row.batches})
        keys = [Id("journal", [kept.lane, number]) for number in numbers]
        mark = f'"run":"{run_id}"'
        lines = [
            journal.read(line)
            for batch in await self._select(keys)
            for line in str(batch["body"]).split("\n")
            if mark in line
        ]
        return sorted((line for line in lines if line.run == run_id), key=lambda line: line.n)

    async def evidence(self, run_id: str) -> Evidence | None:
        whole = Range([run_id, None], [run_id, []])
        params = {**_whole(run_id), "heads": Id("head", whole)}
        found = cast("dict[str, list[rows.Found]]", await self._call(_EVIDENCE, params))
        lane = next((str(each["lane"]) for each in found["rows"] if "lane" in each), None)
        if lane is None:
            return None
        numbers = {n for each in found["rows"] for n in cast("list[int]", each["batches"])}
        identities = [str(each["identity"]) for each in found["rows"] if "identity" in each]
        return evidence.assess(
            evidence.Records(
                run=run_id,
                lane=lane,
                rows=found["rows"],
                heads=found["heads"],
                batches=await self._select([Id("journal", [lane, n]) for n in sorted(numbers)]),
                inbox=await self.inbox(identities),
                texts=await self._texts(found["rows"]),
            )
        )

    async def query(self, query: str, params: Mapping[str, object]) -> list[dict[str, object]]:
        """The records that a query finds."""
        return replies.rows(await self._call(query, params))

    async def keys(self, query: str, params: Mapping[str, object]) -> list[object]:
        """The keys of the ids that a query finds; NONE may stand for what is not there."""
        found = cast("list[Id | None]", await self._call(query, params))
        return [each.key for each in found if each is not None]

    async def _runs_of(self, query: str, params: Mapping[str, object]) -> set[str]:
        """The runs that the parts belong to whose ids a query finds."""
        return {cast("list[str]", each)[0] for each in await self.keys(query, params)}

    async def _rows(self, query: str, params: Mapping[str, object]) -> list[Row]:
        return await self._decoded(await self.query(query, params))

    async def _found(self, run_id: str) -> list[dict[str, object]]:
        return await self.query(_RUN, _whole(run_id))

    async def _decoded(self, found: Sequence[rows.Found]) -> list[Row]:
        texts = await self._texts(found)
        return [rows.decode(each, texts) for each in found]

    async def _texts(self, found: Sequence[rows.Found]) -> Mapping[str, str]:
        blobs = await self._select([blob for each in found for blob in rows.large(each)])
        return {cast("list[str]", _key(each))[1]: str(each["text"]) for each in blobs}

    async def _select(self, ids: Sequence[Id]) -> list[dict[str, object]]:
        return await self.query("SELECT * FROM $ids", {"ids": list(ids)}) if ids else []

    async def _call(self, query: str, params: Mapping[str, object]) -> object:
        try:
            with anyio.fail_after(self._within_s):
                async with self._turn:
                    return (await self._transport.call(query, params))[-1]
        except TimeoutError as error:
            raise Unavailable(f"no answer within {self._within_s} s") from error  # noqa: TRY003
        except replies.SurrealError as error:
            raise Unavailable(str(error)) from error
        except Unencodable as error:
            raise Rejected(_QUESTION, str(error)) from error


def trail(found: Sequence[Row]) -> Trail | None:
    """What the rows of one run tell."""
    account = Account()
    for row in sorted(found, key=lambda each: each.head.n):
        account.put(row)
    return account.trail()


def _whole(run_id: str) -> dict[str, object]:
    """The rows of one run."""
    whole = Range([run_id, None], [run_id, []])  # NONE sorts before, an array after numbers
    return {
        "run": Id("run", run_id),
        "steps": Id("step", whole),
        "undone": Id("compensation", whole),
        "lent": Id("credential_lease", whole),
        "asked": Id("checkpoint", whole),
        "answered": Id("answer", whole),
    }


def _key(found: rows.Found) -> object:
    return cast("Id", found["id"]).key


def _identity(kept: Kept) -> str:
    runs = (row.fact for row in kept.rows)
    return next((each.identity for each in runs if isinstance(each, PipelineRun)), "")


def _begins(table: str, prefix: str) -> Id:
    return Id(table, Range(prefix, prefix + _LAST))
