"""Standings: whether a pipeline takes events, holds its runs back or refuses them, by whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from stratum_state import newest_first


class Standing(StrEnum):
    """What becomes of events that open a pipeline."""

    ACTIVE = "active"
    """Their runs begin."""
    PAUSED = "paused"
    """Their runs are on record and wait until it is active again."""
    DISABLED = "disabled"
    """They are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRecord:
    """One change of how a pipeline stands. The latest one of a pipeline counts."""

    id: str
    pipeline: str
    kind: Standing
    by: str
    reason: str
    authorization: str
    """Canonical JSON text: decision, policy ids, policy-set digest."""
    at: int


def standing_id(at: int, pipeline: str) -> str:
    """The record's id: newest first."""
    return f"{newest_first.mark(at)}{sha256(pipeline.encode()).hexdigest()[:12]}"


def latest(records: Iterable[StandingRecord]) -> Sequence[StandingRecord]:
    """The latest of each pipeline, newest first."""
    found: dict[str, StandingRecord] = {}
    for each in sorted(records, key=lambda each: each.id):
        found.setdefault(each.pipeline, each)
    return list(found.values())
