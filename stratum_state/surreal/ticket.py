"""What waits to become durable: writes of facts, and removals of what nobody needs any more."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio

from stratum_state import canonical, moves
from stratum_state.errors import StateError
from stratum_state.head import SignedHead
from stratum_state.ledger import Ledger, Move, Stamp
from stratum_state.model import Fact, PipelineRun
from stratum_state.surreal import cbor, rows
from stratum_state.surreal.cbor import Id, Range


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows to insert, rows to merge into, records to delete, and what the journal says."""

    inserts: Sequence[tuple[str, bytes]] = ()
    moved: Sequence[bytes] = ()
    gone: Sequence[bytes] = ()
    lines: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return sum(len(row) for _, row in self.inserts) + sum(map(len, self.moved))


@dataclass(slots=True, eq=False)
class Ticket(ABC):
    """One piece of work of a lane: all of it becomes durable, or nothing."""

    _error: StateError | None = field(default=None, init=False)
    _done: anyio.Event = field(default_factory=anyio.Event, init=False)

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is about, as error messages call it."""

    @abstractmethod
    def judge(self, ledger: Ledger, stamp: Stamp) -> bool:
        """Move the ledger; whether there is something to wait for. Raises StateError."""

    @abstractmethod
    def take_back(self, ledger: Ledger) -> None:
        """Undo what `judge` did: it did not become durable."""

    @abstractmethod
    def settle(self, ledger: Ledger) -> None:
        """Note that it has become durable."""

    @abstractmethod
    def encode(self, lane: str) -> Encoded:
        """Its part of a batch. Raises Unencodable."""

    def end(self, error: StateError | None = None) -> None:
        self._error = error
        self._done.set()

    async def wait(self) -> None:
        """Return when it is durable; raise why it is not."""
        await self._done.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)  # one error may be told to many


@dataclass(slots=True, eq=False)
class Write(Ticket):
    """Facts that are kept together."""

    facts: tuple[Fact, ...]
    moves: tuple[Move, ...] = ()
    heads: tuple[SignedHead, ...] = ()

    @property
    def name(self) -> str:
        return moves.name(self.facts[0])

    def judge(self, ledger: Ledger, stamp: Stamp) -> bool:
        self.moves = ledger.apply(self.facts, stamp)
        self.heads = ledger.ends(self.moves, stamp.at)
        return bool(self.moves) or ledger.awaits(self.facts)

    def take_back(self, ledger: Ledger) -> None:
        ledger.undo(self.moves)
        self.moves, self.heads = (), ()

    def settle(self, ledger: Ledger) -> None:
        ledger.settle(self.moves)

    def encode(self, lane: str) -> Encoded:
        inserts: list[tuple[str, bytes]] = []
        moved: list[bytes] = []
        for move in self.moves:
            fact, row = move.after.fact, rows.encode(move, lane)
            for digest, text in rows.blobs(move).items():
                blob = cbor.dumps({"id": rows.blob_id(fact, digest), "text": text})
                inserts.append(("blob", blob))
            if move.before is not None:
                moved.append(row)
                continue
            if isinstance(fact, PipelineRun):
                taken = {"id": Id("inbox", fact.identity), "run": fact.id}
                inserts.append(("inbox", cbor.dumps(taken)))
            inserts.append((rows.row_id(fact).table, row))
        inserts += [("head", rows.encode_head(head)) for head in self.heads]
        return Encoded(inserts, moved, lines=[move.line.body for move in self.moves])


class Stretch(NamedTuple):
    """A part of a lane's chain: from which batch to which, and the hashes at its two ends."""

    first: int
    last: int
    prev: str
    hash: str


@dataclass(slots=True, eq=False)
class Removal(Ticket):
    """What is deleted together, and the anchors that hold the chain in place of its batches."""

    runs: Mapping[str, str] = field(default_factory=dict)
    """Run to identity: it goes with all that belongs to it."""
    verdicts: Sequence[str] = ()
    decisions: Sequence[str] = ()
    stretches: Sequence[Stretch] = ()
    """Single batches, and older anchors."""
    anchors: Sequence[Stretch] = ()
    at: int = 0

    @property
    def name(self) -> str:
        return f"the removal of {len(self.runs)} runs"

    def judge(self, ledger: Ledger, stamp: Stamp) -> bool:
        ledger.condemn(self.runs)
        self.at = stamp.at
        return True

    def take_back(self, ledger: Ledger) -> None:
        ledger.pardon(self.runs)

    def settle(self, ledger: Ledger) -> None:
        ledger.forget(self.runs)

    def encode(self, lane: str) -> Encoded:
        gone = [each for run, identity in self.runs.items() for each in _all_of(run, identity)]
        gone += [Id("verdict", each) for each in self.verdicts]
        gone += [Id("decision", each) for each in self.decisions]
        for each in self.stretches:
            gone += [Id("journal", [lane, each.first]), Id("anchor", [lane, each.first])]
        anchors = [
            {"id": Id("anchor", [lane, each.first]), **each._asdict()} for each in self.anchors
        ]
        said = {
            "kind": "collected",
            "at": self.at,
            "runs": list(self.runs),
            "verdicts": list(self.verdicts),
            "decisions": list(self.decisions),
            "anchors": [each._asdict() for each in self.anchors],
        }
        return Encoded(
            inserts=[("anchor", cbor.dumps(each)) for each in anchors],
            gone=[cbor.dumps(each) for each in gone],
            lines=[canonical.text(said)],
        )


def _all_of(run: str, identity: str) -> list[Id]:
    """Every record of a run but those of the journal, which it shares with others."""
    whole = Range([run, None], [run, []])
    tables = (
        "step",
        "compensation",
        "credential_lease",
        "checkpoint",
        "answer",
        "blob",
        "head",
    )
    parts = [Id(table, whole) for table in tables]
    return [*parts, Id("inbox", identity), Id("run", run)]
