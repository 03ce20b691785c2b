"""Questions to people before a step, and what they answered. Times are Unix milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Self

from stratum_state.errors import IllegalMove

Default = Literal["reject", "approve"]


class CheckpointStatus(StrEnum):
    """Where one question is."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed-out"
    WITHDRAWN = "withdrawn"


CHECKPOINT_MOVES: Mapping[CheckpointStatus, frozenset[CheckpointStatus]] = {
    CheckpointStatus.OPEN: frozenset(CheckpointStatus) - {CheckpointStatus.OPEN},
    CheckpointStatus.APPROVED: frozenset(),
    CheckpointStatus.REJECTED: frozenset(),
    CheckpointStatus.TIMED_OUT: frozenset(),
    CheckpointStatus.WITHDRAWN: frozenset(),
}
CHECKPOINT_BEGINNINGS = frozenset({CheckpointStatus.OPEN})


class AnswerStatus(StrEnum):
    """What one person said. It is final."""

    APPROVED = "approved"
    REJECTED = "rejected"


ANSWER_BEGINNINGS = frozenset(AnswerStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a node of a run waits for before its first attempt."""

    run: str
    node: str
    stage: int
    groups: tuple[str, ...]
    """Who may answer."""
    count: int
    """How many different people have to approve; one rejection rejects."""
    on_timeout: Default
    """What it comes to when the time is up."""
    plan: str
    """Digest of what the node is a part of."""
    inputs: str
    """Digest of what its script is going to be given."""
    asked: int
    deadline: int
    status: CheckpointStatus = CheckpointStatus.OPEN
    ended: int | None = None
    detail: str | None = None
    """Of one that nobody answered to its end: why it is closed."""
    notice: str | None = None
    """The subject under which it is to be published, if anywhere."""
    published: int | None = None
    """The sequence of that event in the stream."""

    def to(self, status: CheckpointStatus, **facts: object) -> Self:
        """The question after a legal move, with the facts that come with it."""
        if status not in CHECKPOINT_MOVES[self.status]:
            what = f"checkpoint {self.run}/{self.node}"
            raise IllegalMove(what, self.status, status)
        return replace(self, status=status, **facts)  # type: ignore[arg-type]

    def heard_of(self, sequence: int) -> Self:
        """The question where it is, being published."""
        return replace(self, published=sequence)

    @property
    def is_open(self) -> bool:
        return self.status is CheckpointStatus.OPEN

    @property
    def is_granted(self) -> bool:
        """Whether the step may start."""
        by_default = self.status is CheckpointStatus.TIMED_OUT and self.on_timeout == "approve"
        return by_default or self.status is CheckpointStatus.APPROVED

    @property
    def is_due(self) -> bool:
        """Whether it is to be published, and is not known to be."""
        return self.is_open and self.notice is not None and self.published is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one person said to one question; by whom it was passed on does not count."""

    run: str
    node: str
    stage: int
    person: str
    """The principal's name: each has one voice."""
    key: str
    """The principal's public NKey at that time."""
    status: AnswerStatus
    plan: str
    """Digest of the plan that was answered about."""
    reason: str
    instruction: str
    """Canonical JSON text: who said it for whom, and by which policies' leave."""
    answered: int
