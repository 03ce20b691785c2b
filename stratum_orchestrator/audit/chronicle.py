"""A run's journal, decoded for those who judge it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from stratum_state import journal
from stratum_state.checkpoint import AnswerStatus, CheckpointStatus
from stratum_state.credential import CredentialStatus
from stratum_state.errors import BrokenChain
from stratum_state.model import (
    RUN_ENDS,
    CompensationStatus,
    JournalLine,
    RunStatus,
    StepStatus,
)

_STATUSES: Mapping[str, frozenset[str]] = {
    "run": frozenset(RunStatus),
    "step": frozenset(StepStatus),
    "compensation": frozenset(CompensationStatus),
    "credential": frozenset(CredentialStatus),
    "checkpoint": frozenset(CheckpointStatus),
    "answer": frozenset(AnswerStatus),
}
_ONCE = frozenset({"checkpoint", "answer"})
"""What is a matter of a node, whatever its attempts."""
FRAME = frozenset({"run", "n", "at", "kind", "prev"})
"""What every line says beside its facts."""


class Entry(NamedTuple):
    """One line of the journal."""

    n: int
    subject: str
    """`run`, `step`, `compensation`, `credential`, `checkpoint` or `answer`."""
    status: str
    said: Mapping[str, object]
    """The facts that it sets."""
    node: str = ""
    stage: int = -1
    attempt: int = 0

    @property
    def what(self) -> str:
        """Like `step.started`."""
        return f"{self.subject}.{self.status}"


@dataclass(frozen=True, slots=True)
class Chronicle:
    """The entries of one run, in order."""

    run: str
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, run: str, lines: Sequence[JournalLine]) -> Self:
        """Decode a whole and unaltered journal; BrokenChain says where it is not."""
        if not lines:
            raise BrokenChain(run, 0, "there is no entry")
        if lines[0].run != run:
            raise BrokenChain(run, 1, f"it belongs to {lines[0].run}")
        for at, line in enumerate(lines, start=1):
            _check_readable(run, at, line)
        journal.verify(lines)
        return cls(run, tuple(_entry(each) for each in lines))

    def of_kind(self, *whats: str) -> Iterator[Entry]:
        """The entries with one of these meanings, such as `step.started`."""
        return (each for each in self.entries if each.what in whats)

    def first(self, *whats: str) -> Entry | None:
        return next(self.of_kind(*whats), None)

    def end(self) -> Entry | None:
        """The entry that says how the run ended, if it is over now."""
        over: Entry | None = None
        for entry in self.entries:
            if entry.subject != "run":
                continue
            if entry.status not in RUN_ENDS:
                over = None
            elif over is None:
                over = entry
        return over

    def steps(self) -> Iterator[Entry]:
        return (each for each in self.entries if each.subject == "step")

    def answers(self) -> Iterator[Entry]:
        return (each for each in self.entries if each.subject == "answer")

    def compensations(self) -> Iterator[Entry]:
        return (each for each in self.entries if each.subject == "compensation")


def _check_readable(run: str, at: int, line: JournalLine) -> None:
    try:
        journal.read(line.body)
    except BrokenChain:
        raise BrokenChain(run, at, "its text cannot be read") from None


def _entry(line: JournalLine) -> Entry:
    subject, _, status = line.kind.partition(".")
    if status not in _STATUSES.get(subject, ()):
        raise BrokenChain(line.run, line.n, f"{line.kind!r} is nothing that a run does")
    every = json.loads(line.body)
    said = {name: value for name, value in every.items() if name not in FRAME}
    if subject == "run":
        return Entry(line.n, subject, status, said)
    match said:
        case {"node": str(node), "stage": int(stage), "attempt": int(attempt)}:
            return Entry(line.n, subject, status, said, node, stage, attempt)
        case {"node": str(node), "stage": int(stage)} if subject in _ONCE:
            return Entry(line.n, subject, status, said, node, stage)
        case _:
            raise BrokenChain(line.run, line.n, "it does not name node, stage and attempt")
