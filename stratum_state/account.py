"""Everything on record of one run, or of one fact that belongs to none: the latest of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from stratum_state import journal, moves
from stratum_state.checkpoint import Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.evidence import Marked
from stratum_state.journal import Head
from stratum_state.model import (
    Fact,
    OfRun,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
)


class Row(NamedTuple):
    """The latest fact in its place, its last line, and the batches in which it moved."""

    fact: Fact
    head: Head
    batches: tuple[int, ...]


@dataclass(slots=True)
class Account:
    """Everything on record in one chain."""

    rows: dict[moves.Place, Row] = field(default_factory=dict)
    """In the order of their latest moves."""
    head: Head = journal.EMPTY
    succeeded: dict[tuple[int, str], int] = field(default_factory=dict)
    """Stage and node to the attempt that succeeded."""
    pending: int = 0
    """Moves that are not durable yet."""

    @property
    def run(self) -> PipelineRun | None:
        row = self.rows.get(("run",))
        return row.fact if row and isinstance(row.fact, PipelineRun) else None

    @property
    def is_over(self) -> bool:
        """Whether the run is: published if that is due, and nothing lent is left with it."""
        run = self.run
        return (run is None or (run.is_over and not run.is_due)) and not self.is_indebted

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing moves in it by itself: it is over, or waits for people."""
        run = self.run
        is_suspended = run is not None and run.status is RunStatus.SUSPENDED
        return self.is_over or (is_suspended and not self.is_indebted)

    @property
    def is_indebted(self) -> bool:
        return any(not each.is_over for each in self.leases())

    @property
    def text(self) -> int:
        """Characters of text in it: nearly all of the memory that it takes."""
        facts = (row.fact for row in self.rows.values())
        values = (getattr(fact, name) for fact in facts for name in moves.FIELDS[type(fact)])
        return sum(len(value) for value in values if isinstance(value, str))

    def leases(self) -> Iterator[CredentialLease]:
        """What the processes of the run were lent."""
        facts = (row.fact for row in self.rows.values())
        return (each for each in facts if isinstance(each, CredentialLease))

    def question(self, stage: int, node: str) -> Checkpoint | None:
        """What is asked before the node begins."""
        row = self.rows.get(("checkpoint", stage, node))
        return row.fact if row and isinstance(row.fact, Checkpoint) else None

    def questions(self) -> Iterator[Checkpoint]:
        """All that is asked in the run."""
        facts = (row.fact for row in self.rows.values())
        return (each for each in facts if isinstance(each, Checkpoint))

    def trail(self) -> Trail | None:
        return Trail.of(row.fact for row in self.rows.values())

    def marked(self) -> tuple[Marked, ...]:
        """Its rows with the entries that they moved with last."""
        return tuple(
            Marked(row.fact, row.head)
            for row in self.rows.values()
            if isinstance(row.fact, OfRun)
        )

    def put(self, row: Row) -> None:
        """Set the latest row in its place."""
        where = moves.place(row.fact)
        self.rows.pop(where, None)
        self.rows[where] = row
        self.head = max(self.head, row.head)
        if isinstance(row.fact, StepRecord) and row.fact.status is StepStatus.SUCCEEDED:
            self.succeeded[row.fact.stage, row.fact.node] = row.fact.attempt
