"""What the oracle looks at, and what it says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stratum_graph.model import Plan
from stratum_state.head import SignedHead
from stratum_state.model import JournalLine, Trail, VerdictRecord

EffectKind = Literal["do", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An event whose publisher holds an acknowledgment."""

    sequence: int
    """In the event stream."""
    publisher: str
    event_id: str
    subject: str
    well_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One execution of a script that reached the outside world."""

    run: str
    node: str
    kind: EffectKind
    attempt: int
    key: str
    """The idempotency key that it was given."""
    order: int
    """Its place among all effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """One lifecycle fact that listeners were told."""

    run: str
    what: str
    """`run.completed`, `step.started`, … as the journal calls it."""
    identity: str
    """By which a broker drops repetitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One accepted write, and the epoch of the instance that made it."""

    run: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a step or a compensation that is alive."""

    pid: int
    run: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most that there ever was of something at once."""

    what: str
    most: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that is known from outside. None or empty: not observed, so not judged."""

    trails: Sequence[Trail]
    journals: Mapping[str, Sequence[JournalLine]]
    """By run."""
    verdicts: Sequence[VerdictRecord] = ()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """By digest."""
    published: Sequence[Published] = ()
    effects: Sequence[Effect] | None = None
    settled: bool = False
    """Whether faults have ended and there was time enough for everything to come to its end."""
    believed: Sequence[Trail] = ()
    """What a daemon's cache held at rest."""
    announced: Sequence[Announced] = ()
    alive: Collection[str] = ()
    """Accessors of what is alive at the provider of credentials."""
    processes: Collection[Process] = ()
    contents: Mapping[str, str] = field(default_factory=dict)
    """Digest to that of what is there under it; empty when that is gone or cannot be read."""
    peaks: Sequence[Peak] = ()
    lasted_ms: int | None = None
    """How long all of it took, by a clock that nobody sets."""
    commits: Sequence[Commit] = ()
    """In the order in which the store accepted them."""
    heads: Mapping[str, Sequence[SignedHead]] | None = None
    """By run."""
    trusted: frozenset[str] = frozenset()
    """The public keys whose signatures under heads count."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that is not kept."""

    invariant: str
    """`I3`; `docs/audit.md` says what each means."""
    run: str
    """The run's id, or `event 7` where there is none."""
    detail: str
    n: int = 0
    """The journal entry that shows it, if one does."""

    def __str__(self) -> str:
        where = f"{self.run} entry {self.n}" if self.n else self.run
        return f"{self.invariant} {where}: {self.detail}"
