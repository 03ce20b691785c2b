"""One group commit: the rows of many writes, their journal, the statement that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import anyio

from stratum_state import journal
from stratum_state.errors import StateError
from stratum_state.ledger import Move
from stratum_state.model import Fact, PipelineRun
from stratum_state.surreal import cbor, replies, rows
from stratum_state.surreal.cbor import Id

_TABLES = ("blob", "inbox", "run", "verdict", "step", "compensation")

# Every prefix of it is a legal earlier state, and the lease row, which it writes twice, comes
# last into the log: whoever finds that row of a batch knows that all of it is there. Rows of
# ours are inserted, never upserted: a row that exists refuses the batch.
COMMIT = f"""
BEGIN;
LET $held = (UPDATE $lease SET seq = $seq, batch = $batch, last = $last, hash = $hash,
  at = time::now() WHERE epoch = $epoch AND seq = $seq - 1 RETURN VALUE seq);
IF array::len($held) = 0 {{ THROW '{replies.STALE}' }};
IF array::len($blob) > 0 {{ INSERT IGNORE INTO blob $blob RETURN NONE }};
IF array::len($inbox) > 0 {{ INSERT INTO inbox $inbox RETURN NONE }};
IF array::len($run) > 0 {{ INSERT INTO run $run RETURN NONE }};
IF array::len($verdict) > 0 {{ INSERT INTO verdict $verdict RETURN NONE }};
IF array::len($step) > 0 {{ INSERT INTO step $step RETURN NONE }};
IF array::len($compensation) > 0 {{ INSERT INTO compensation $compensation RETURN NONE }};
FOR $each IN $moved {{ UPDATE $each.id MERGE $each.m RETURN NONE }};
IF array::len($journal) > 0 {{ INSERT INTO journal $journal RETURN NONE }};
UPDATE $lease SET mark = $seq RETURN NONE;
COMMIT;
"""  # noqa: S608 - the only thing filled in is a constant of ours


@dataclass(slots=True, eq=False)
class Ticket:
    """One write that waits to become durable."""

    facts: tuple[Fact, ...]
    moves: tuple[Move, ...] = ()
    error: StateError | None = None
    _done: anyio.Event = field(default_factory=anyio.Event)

    def end(self, error: StateError | None = None) -> None:
        self.error = error
        self._done.set()

    async def wait(self) -> None:
        """Return when it is durable; raise why it is not."""
        await self._done.wait()
        if self.error is not None:
            raise self.error.with_traceback(None)  # one error may be told to many


@dataclass(slots=True, eq=False)
class Batch:
    """What goes into one transaction."""

    number: int
    lane: str
    tickets: list[Ticket] = field(default_factory=list)
    rows: dict[str, list[bytes]] = field(default_factory=dict)
    moved: list[bytes] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    name: str = field(default_factory=lambda: uuid4().hex)
    size: int = 0
    """Bytes of the rows."""

    def add(self, ticket: Ticket, moves: Sequence[Move]) -> None:
        """Take a write in, whole. Raises Unencodable, and has then taken nothing."""
        encoded = [_Encoded.of(move, self.lane) for move in moves]
        for each in encoded:
            for table, row in each.inserts:
                self.rows.setdefault(table, []).append(row)
                self.size += len(row)
            self.moved += each.updates
            self.size += sum(map(len, each.updates))
        self.lines += [move.line.body for move in moves]
        ticket.moves = tuple(moves)
        self.tickets.append(ticket)

    def sealed(self, chain: "Chain", epoch: int, at: int) -> tuple[dict[str, object], "Chain"]:
        """The parameters of COMMIT, and the lane's chain behind this batch."""
        body = "\n".join(self.lines)
        ahead = Chain(self.number, journal.seal(chain.hash, at, body)) if body else chain
        key = [self.lane, self.number]
        row = {
            "id": Id("journal", key),
            "at": at,
            "epoch": epoch,
            "prev": chain.hash,
            "body": body,
            "hash": ahead.hash,
        }
        return {
            "lease": Id("lease", self.lane),
            "seq": self.number,
            "batch": self.name,
            "epoch": epoch,
            "last": ahead.last,
            "hash": ahead.hash,
            **{table: cbor.array(self.rows.get(table, ())) for table in _TABLES},
            "moved": cbor.array(self.moved),
            "journal": [row] if body else [],
        }, ahead


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of a lane's chain: its last batch with lines in it, and that one's hash."""

    last: int = 0
    hash: str = journal.ORIGIN


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One move as rows to insert and rows to merge into."""

    inserts: Sequence[tuple[str, bytes]]
    updates: Sequence[bytes]

    @classmethod
    def of(cls, move: Move, lane: str) -> "_Encoded":
        fact, row = move.after.fact, rows.encode(move, lane)
        inserts: list[tuple[str, bytes]] = [
            ("blob", cbor.dumps({"id": rows.blob_id(fact, digest), "text": text}))
            for digest, text in rows.blobs(move).items()
        ]
        if move.before is not None:
            return cls(inserts, (row,))
        if isinstance(fact, PipelineRun):
            taken = {"id": Id("inbox", fact.identity), "run": fact.id}
            inserts.append(("inbox", cbor.dumps(taken)))
        return cls([*inserts, (rows.row_id(fact).table, row)], ())
