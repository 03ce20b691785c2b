"""Decisions: who asked for what, what the policies said to it, and how often it was asked."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from stratum_state import newest_first

SEVERAL = "*"
"""In the place of a pipeline: several, as too much was asked for to name each."""


class Answer(StrEnum):
    """What the policies said."""

    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What was asked for once, or the same again and again within a while."""

    id: str
    kind: Answer
    principal: str
    """Name."""
    key: str
    """Public NKey."""
    action: str
    pipeline: str
    """Empty is the daemon; `SEVERAL` where they are not told apart."""
    of_run: str
    """The run that it was about; empty without one, or where they are not told apart."""
    authorization: str
    """Canonical JSON text of the latest one: decision, policy ids, policy-set digest."""
    instance: str
    """Which daemon decided."""
    count: int
    first: int
    last: int


def decision_id(last: int, print_: str) -> str:
    """The record's id: newest first; `print_` tells apart what falls into one millisecond."""
    return f"{newest_first.mark(last)}{sha256(print_.encode()).hexdigest()[:12]}"
