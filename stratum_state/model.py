"""Runs, steps, compensations and verdicts. The tables of moves are the whole state machine.

Times are Unix milliseconds. Foreign payloads are canonical JSON text (`canonical.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Self

from stratum_state import newest_first
from stratum_state.activation import ActivationRecord
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.decision import DecisionRecord
from stratum_state.errors import IllegalMove
from stratum_state.standing import StandingRecord


class RunStatus(StrEnum):
    """Where a run is."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    ABANDONED = "abandoned"


class StepStatus(StrEnum):
    """Where one attempt at a node is."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"


class CompensationStatus(StrEnum):
    """Where one attempt at undoing a node is."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    WAIVED = "waived"


class Compensation(StrEnum):
    """How well a compensated run was undone."""

    CLEAN = "clean"
    PARTIAL = "partial"


class VerdictKind(StrEnum):
    """What became of a delivered event."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    NO_PIPELINE = "no-pipeline"


RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.ACCEPTED: frozenset(
        {RunStatus.RUNNING, RunStatus.COMPENSATING, RunStatus.ABANDONED}
    ),
    RunStatus.RUNNING: frozenset(
        {
            RunStatus.SUSPENDED,
            RunStatus.COMPLETED,
            RunStatus.COMPENSATING,
            RunStatus.ABANDONED,
        }
    ),
    RunStatus.SUSPENDED: frozenset(
        {RunStatus.RUNNING, RunStatus.COMPENSATING, RunStatus.ABANDONED}
    ),
    RunStatus.COMPENSATING: frozenset({RunStatus.COMPENSATED, RunStatus.ABANDONED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.COMPENSATED: frozenset({RunStatus.COMPENSATING}),
    RunStatus.ABANDONED: frozenset(),
}

STEP_MOVES: Mapping[StepStatus, frozenset[StepStatus]] = {
    StepStatus.STARTED: frozenset(
        {
            StepStatus.SUCCEEDED,
            StepStatus.FAILED,
            StepStatus.TIMED_OUT,
            StepStatus.CANCELLED,
            StepStatus.LOST,
        }
    ),
    StepStatus.SUCCEEDED: frozenset(),
    StepStatus.FAILED: frozenset(),
    StepStatus.TIMED_OUT: frozenset(),
    StepStatus.CANCELLED: frozenset(),
    StepStatus.LOST: frozenset(),
    StepStatus.SKIPPED: frozenset(),
}

COMPENSATION_MOVES: Mapping[CompensationStatus, frozenset[CompensationStatus]] = {
    CompensationStatus.STARTED: frozenset({CompensationStatus.DONE, CompensationStatus.FAILED}),
    CompensationStatus.DONE: frozenset(),
    CompensationStatus.FAILED: frozenset({CompensationStatus.WAIVED}),
    CompensationStatus.WAIVED: frozenset(),
}

RUN_BEGINNINGS = frozenset({RunStatus.ACCEPTED})
RUN_ENDS = frozenset({RunStatus.COMPLETED, RunStatus.COMPENSATED, RunStatus.ABANDONED})
STEP_BEGINNINGS = frozenset({StepStatus.STARTED, StepStatus.SKIPPED})
COMPENSATION_BEGINNINGS = frozenset({CompensationStatus.STARTED, CompensationStatus.WAIVED})


def identity(publisher: str, event_id: str, pipeline: str) -> str:
    """The key under which an event of a publisher can start a pipeline once, 64 hex digits."""
    return sha256(f"{publisher}\n{event_id}\n{pipeline}".encode()).hexdigest()


def run_id(stored_ms: int, identity: str) -> str:
    """The run's id: newest first by the stored time of the event, the same on redelivery."""
    return f"{newest_first.mark(stored_ms)}{identity[:12]}"


def stored_ms(run: str) -> int:
    """When the event was stored whose run, or verdict, has this id."""
    return newest_first.moment(run)


def first_id(stored_ms: int) -> str:
    """How the ids begin of what was stored in that millisecond; smaller ones are newer."""
    return newest_first.bound(stored_ms)


def verdict_id(stored_ms: int, sequence: int) -> str:
    """The verdict's id: newest first, one for each message in the stream."""
    return f"{newest_first.mark(stored_ms)}{10**12 - sequence:012d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One event's journey through one pipeline."""

    id: str
    identity: str
    pipeline: str
    subject: str
    event_id: str
    event_time: int
    publisher: str
    """Public NKey."""
    principal: str
    """The publisher's name when the event was accepted."""
    data: str
    """The event's payload, canonical JSON text."""
    plan: str
    """Digest."""
    generation: str
    """Digest."""
    authorization: str
    """Canonical JSON text: decision, policy ids, policy-set digest."""
    status: RunStatus = RunStatus.ACCEPTED
    accepted: int
    started: int | None = None
    ended: int | None = None
    cause: str | None = None
    """Why it is not going forward any more: a node's failure, a cancellation, a time-out."""
    compensation: Compensation | None = None
    waived: bool | None = None
    """Of a partial one: whether an operator has waived all that was not undone."""
    instruction: str | None = None
    """Canonical JSON text: the latest that an operator told it to do, and by what right."""
    trouble: str | None = None
    """Canonical JSON text: what keeps it from going on by itself; of no meaning at its end."""
    depth: int | None = None
    """How many runs led to its event, each by its end; None when a publisher sent it."""
    trace: str | None = None
    """The W3C `traceparent` with which its event came, if it came with one."""
    notice: str | None = None
    """Of one that ended: the subject under which that is to be published, if anywhere."""
    published: int | None = None
    """The sequence of that event in the stream."""

    def to(self, status: RunStatus, **facts: object) -> Self:
        """The run after a legal move, with the facts that come with it; else IllegalMove."""
        if status not in RUN_MOVES[self.status]:
            what = f"run {self.id}"
            raise IllegalMove(what, self.status, status)
        return replace(self, status=status, **facts)  # type: ignore[arg-type]

    def noted(self, trouble: str | None) -> Self:
        """The run where it is, with the trouble that it is in, or without any."""
        return replace(self, trouble=trouble)

    def heard_of(self, sequence: int) -> Self:
        """The run where it is, its end being published."""
        return replace(self, published=sequence)

    def told(self, instruction: str, **facts: object) -> Self:
        """The run where it is, with what an operator told it."""
        return replace(self, instruction=instruction, **facts)  # type: ignore[arg-type]

    @property
    def is_over(self) -> bool:
        return self.status in RUN_ENDS

    @property
    def is_due(self) -> bool:
        """Whether its end is to be published, and is not known to be."""
        return self.is_over and self.notice is not None and self.published is None

    @property
    def is_unresolved(self) -> bool:
        """Whether it needs a person.

        It is in trouble, or something of it was not undone and nobody has waived that. One
        that only waits for answers is as it should be.
        """
        if not self.is_over:
            return self.trouble is not None
        return self.compensation is Compensation.PARTIAL and not self.waived


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One attempt at one node of a run."""

    run: str
    node: str
    stage: int
    attempt: int
    status: StepStatus = StepStatus.STARTED
    started: int
    ended: int | None = None
    outputs: str | None = None
    """Canonical JSON text, of a step that succeeded."""
    error_class: str | None = None
    error: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    """The tail of what it logged."""
    level: str | None = None
    """The containment level that was really used."""
    resources: str | None = None
    """Canonical JSON text: cpu_ms, max_rss, wall_ms."""

    def to(self, status: StepStatus, **facts: object) -> Self:
        """The step after a legal move, with the facts that come with it; else IllegalMove."""
        if status not in STEP_MOVES[self.status]:
            what = f"step {self.run}/{self.node}"
            raise IllegalMove(what, self.status, status)
        return replace(self, status=status, **facts)  # type: ignore[arg-type]

    @property
    def is_over(self) -> bool:
        return not STEP_MOVES[self.status]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationRecord:
    """One attempt at undoing one node of a run."""

    run: str
    node: str
    stage: int
    attempt: int
    outcome: str
    """What is being undone: `succeeded`, `interrupted` or `failed`."""
    status: CompensationStatus = CompensationStatus.STARTED
    started: int
    ended: int | None = None
    error_class: str | None = None
    error: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    level: str | None = None
    resources: str | None = None
    instruction: str | None = None
    """Canonical JSON text: of a waived one, which operator waived it, why and by what right."""

    def to(self, status: CompensationStatus, **facts: object) -> Self:
        """The compensation after a legal move, with its facts; else IllegalMove."""
        if status not in COMPENSATION_MOVES[self.status]:
            what = f"compensation {self.run}/{self.node}"
            raise IllegalMove(what, self.status, status)
        return replace(self, status=status, **facts)  # type: ignore[arg-type]

    @property
    def is_over(self) -> bool:
        return self.status is not CompensationStatus.STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """What became of one delivered event."""

    id: str
    sequence: int
    """In the event stream."""
    subject: str
    event_id: str
    publisher: str
    kind: VerdictKind
    code: str
    """A short stable word: `accepted`, `bad-signature`, `denied`, `duplicate`, …"""
    reason: str
    """The same for a reader, with the remedy."""
    runs: tuple[str, ...] = ()
    authorization: str = "[]"
    """Canonical JSON text: one decision for each pipeline."""
    stored: int
    """When the stream stored the event."""
    at: int


Fact = (
    PipelineRun
    | StepRecord
    | CompensationRecord
    | VerdictRecord
    | CredentialLease
    | Checkpoint
    | Answer
    | ActivationRecord
    | StandingRecord
    | DecisionRecord
)

OfRun = PipelineRun | StepRecord | CompensationRecord | CredentialLease | Checkpoint | Answer
"""What a run consists of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A run with everything that happened in it.

    Steps and compensations are in the order of their latest moves: what ended last is last.
    """

    run: PipelineRun
    steps: tuple[StepRecord, ...] = ()
    compensations: tuple[CompensationRecord, ...] = ()
    leases: tuple[CredentialLease, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def facts(self) -> list[OfRun]:
        """All that it holds; what is of one kind in the order of its latest moves."""
        return [
            self.run,
            *self.steps,
            *self.compensations,
            *self.leases,
            *self.checkpoints,
            *self.answers,
        ]

    @property
    def open_checkpoints(self) -> tuple[Checkpoint, ...]:
        """The questions that wait for answers."""
        return tuple(each for each in self.checkpoints if each.is_open)

    def answers_to(self, question: Checkpoint) -> tuple[Answer, ...]:
        """What people said to one of its questions, in order."""
        return tuple(each for each in self.answers if each.node == question.node)

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self | None:
        """The trail that these facts make, in the order of their latest moves, if any."""
        facts = tuple(facts)
        run = next((each for each in facts if isinstance(each, PipelineRun)), None)
        if run is None:
            return None
        return cls(
            run=run,
            steps=tuple(each for each in facts if isinstance(each, StepRecord)),
            compensations=tuple(each for each in facts if isinstance(each, CompensationRecord)),
            leases=tuple(each for each in facts if isinstance(each, CredentialLease)),
            checkpoints=tuple(each for each in facts if isinstance(each, Checkpoint)),
            answers=tuple(each for each in facts if isinstance(each, Answer)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One entry of a run's hash-chained audit."""

    run: str
    """The run's id; for a verdict, which is a chain of one, `verdict:` and its id."""
    n: int
    """1, 2, 3, … without a gap."""
    at: int
    """When it was recorded."""
    kind: str
    """`run.accepted`, `step.started`, `compensation.done`, …"""
    body: str
    """Canonical JSON text of the whole entry, the previous entry's hash included."""
    hash: str
    """sha256 of `body`, 64 hex digits."""
