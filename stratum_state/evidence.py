"""Everything on record that concerns one run, as it stands in the store."""

from dataclasses import dataclass
from typing import NamedTuple

from stratum_state.head import SignedHead
from stratum_state.journal import Head
from stratum_state.model import JournalLine, OfRun, Trail


class Marked(NamedTuple):
    """A row, and the entry of the journal that it says it moved with last."""

    fact: OfRun
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an audit of one run goes by. All of it is of one moment."""

    rows: tuple[Marked, ...]
    """In the order of their latest moves."""
    journal: tuple[JournalLine, ...]
    heads: tuple[SignedHead, ...] = ()
    """One for each end, the latest last."""
    faults: tuple[str, ...] = ()
    """What the store itself finds wrong with rows that are not only this run's."""

    @property
    def trail(self) -> Trail | None:
        """The run with all that happened in it; None without a run."""
        return Trail.of(each.fact for each in self.rows)
