"""One group commit: the rows of many tickets, their journal, the statement that keeps them."""

from dataclasses import dataclass, field
from uuid import uuid4

from stratum_state import journal
from stratum_state.surreal import cbor, replies
from stratum_state.surreal.cbor import Id, Unencodable
from stratum_state.surreal.ticket import Ticket

_TABLES = (
    *("blob", "inbox", "run", "verdict", "activation", "standing", "decision"),
    *("step", "compensation", "credential_lease", "checkpoint", "answer", "head", "anchor"),
)
_MOST_TICKETS = 200
_MOST_BYTES = 8 << 20  # a transaction must fit into one file of the log, and into one message

# Every prefix of it is a legal earlier state, and the lease row, which it writes twice, comes
# last into the log: whoever finds that row of a batch knows that all of it is there. Rows of
# ours are inserted, never upserted: a row that exists refuses the batch.
COMMIT = f"""
BEGIN;
LET $held = (UPDATE $lease SET seq = $seq, batch = $batch, last = $last, hash = $hash,
  at = time::now() WHERE epoch = $epoch AND seq = $seq - 1 RETURN VALUE seq);
IF array::len($held) = 0 {{ THROW '{replies.STALE}' }};
FOR $each IN $gone {{ DELETE $each RETURN NONE }};
IF array::len($blob) > 0 {{ INSERT IGNORE INTO blob $blob RETURN NONE }};
IF array::len($inbox) > 0 {{ INSERT INTO inbox $inbox RETURN NONE }};
IF array::len($run) > 0 {{ INSERT INTO run $run RETURN NONE }};
IF array::len($verdict) > 0 {{ INSERT INTO verdict $verdict RETURN NONE }};
IF array::len($activation) > 0 {{ INSERT INTO activation $activation RETURN NONE }};
IF array::len($standing) > 0 {{ INSERT INTO standing $standing RETURN NONE }};
IF array::len($decision) > 0 {{ INSERT INTO decision $decision RETURN NONE }};
IF array::len($step) > 0 {{ INSERT INTO step $step RETURN NONE }};
IF array::len($compensation) > 0 {{ INSERT INTO compensation $compensation RETURN NONE }};
IF array::len($credential_lease) > 0 {{
  INSERT INTO credential_lease $credential_lease RETURN NONE
}};
IF array::len($checkpoint) > 0 {{ INSERT INTO checkpoint $checkpoint RETURN NONE }};
IF array::len($answer) > 0 {{ INSERT INTO answer $answer RETURN NONE }};
FOR $each IN $moved {{ UPDATE $each.id MERGE $each.m RETURN NONE }};
IF array::len($head) > 0 {{ INSERT INTO head $head RETURN NONE }};
IF array::len($journal) > 0 {{ INSERT INTO journal $journal RETURN NONE }};
IF array::len($anchor) > 0 {{ INSERT INTO anchor $anchor RETURN NONE }};
UPDATE $lease SET mark = $seq RETURN NONE;
COMMIT;
"""  # noqa: S608 - the only thing filled in is a constant of ours


@dataclass(slots=True, eq=False)
class Batch:
    """What goes into one transaction."""

    number: int
    lane: str
    tickets: list[Ticket] = field(default_factory=list)
    rows: dict[str, list[bytes]] = field(default_factory=dict)
    moved: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    name: str = field(default_factory=lambda: uuid4().hex)
    size: int = 0
    """Bytes of the rows."""

    @property
    def is_full(self) -> bool:
        return len(self.tickets) >= _MOST_TICKETS or self.size >= _MOST_BYTES

    def add(self, ticket: Ticket) -> None:
        """Take in what was judged. Raises Unencodable, and has then taken nothing."""
        encoded = ticket.encode(self.lane)
        if encoded.size > _MOST_BYTES:
            raise Unencodable(f"its {encoded.size} bytes are too many for one transaction")  # noqa: TRY003
        for table, row in encoded.inserts:
            self.rows.setdefault(table, []).append(row)
        self.moved += encoded.moved
        self.gone += encoded.gone
        self.lines += encoded.lines
        self.size += encoded.size
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
            "gone": cbor.array(self.gone),
            "journal": [row] if body else [],
        }, ahead


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of a lane's chain: its last batch with lines in it, and that one's hash."""

    last: int = 0
    hash: str = journal.ORIGIN
