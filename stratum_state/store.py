"""The store port: what every adapter can do. `tests/contract/test_store.py` is its meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stratum_state.activation import ActivationRecord
from stratum_state.credential import CredentialLease
from stratum_state.decision import Answer, DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.model import (
    Fact,
    JournalLine,
    PipelineRun,
    RunStatus,
    Trail,
    VerdictKind,
    VerdictRecord,
    stored_ms,
)
from stratum_state.standing import StandingRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; None means any."""

    status: RunStatus | None = None
    pipeline: str | None = None
    publisher: str | None = None
    since: int | None = None
    """Only runs whose event was stored at that time or later, Unix milliseconds."""
    until: int | None = None
    """Only runs whose event was stored before that time."""
    text: str | None = None
    """Found in the id, the subject, the event's id, the publisher's name or the cause.

    Upper and lower case are the same.
    """
    live: bool = False
    """Only runs that are not over."""
    unresolved: bool = False
    """Only runs that need a person."""

    def takes(self, run: PipelineRun) -> bool:
        """Whether the run is one of those."""
        pairs = (
            (self.status, run.status),
            (self.pipeline, run.pipeline),
            (self.publisher, run.publisher),
            (self.unresolved or None, run.is_unresolved),
            (self.live or None, not run.is_over),
        )
        stored = stored_ms(run.id)
        if (self.since or 0) > stored or (self.until is not None and self.until <= stored):
            return False
        said = (run.id, run.subject, run.event_id, run.principal, run.cause or "")
        if not any((self.text or "").lower() in each.lower() for each in said):
            return False
        return all(wanted is None or wanted == has for wanted, has in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFilter:
    """Which verdicts to list; None means any."""

    kind: VerdictKind | None = None
    text: str | None = None
    """Found in the event's id, its subject, its publisher's key or the code."""

    def takes(self, verdict: VerdictRecord) -> bool:
        """Whether the verdict is one of those."""
        said = (verdict.event_id, verdict.subject, verdict.publisher, verdict.code)
        is_said = any((self.text or "").lower() in each.lower() for each in said)
        return is_said and self.kind in {None, verdict.kind}


EVERY_VERDICT = VerdictFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Which decisions to list; None means any."""

    kind: Answer | None = None
    principal: str | None = None
    """Name."""
    action: str | None = None

    def takes(self, decision: DecisionRecord) -> bool:
        """Whether the decision is one of those."""
        pairs = (
            (self.kind, decision.kind),
            (self.principal, decision.principal),
            (self.action, decision.action),
        )
        return all(wanted is None or wanted == has for wanted, has in pairs)


class Store(Protocol):
    """Durable memory. Facts handed over by one task are kept in the order of handing over."""

    async def write(self, facts: Sequence[Fact]) -> None:
        """Return when all the facts are durable, together, with their journal lines.

        A fact's first appearance inserts its row, a later one moves it. New runs also take
        their identity in the inbox: Taken when another run has it. Writing the same fact
        twice is the same as once. Raises Unavailable, Fenced, Rejected, Taken, IllegalMove.
        """
        ...

    async def inbox(self, identities: Sequence[str]) -> Mapping[str, str]:
        """Identity to run id, for those that have a run."""
        ...

    async def verdict(self, verdict_id: str) -> VerdictRecord | None: ...

    async def verdicts(
        self, *, after: str | None, limit: int, wanted: VerdictFilter = EVERY_VERDICT
    ) -> Sequence[VerdictRecord]:
        """Newest first, beginning behind the id `after`."""
        ...

    async def activations(self, *, limit: int) -> Sequence[ActivationRecord]:
        """Which bundles came into force, newest first."""
        ...

    async def standings(self) -> Sequence[StandingRecord]:
        """How pipelines stand that are or were held back: the latest of each, newest first."""
        ...

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """What the policies said to commands, newest first, beginning behind the id `after`."""
        ...

    async def trail(self, run_id: str) -> Trail | None: ...

    async def unfinished(self) -> Sequence[Trail]:
        """Every run of ours that is not over, oldest first."""
        ...

    async def asking(self, *, after: str | None, limit: int) -> Sequence[str]:
        """Runs of which a question is open, newest first, beginning behind the id `after`."""
        ...

    async def due(self) -> Sequence[PipelineRun]:
        """Our runs of which something is to be published, and is not known to be.

        Their end, or a question that is open.
        """
        ...

    async def owed(self) -> Sequence[CredentialLease]:
        """What was lent to our runs and is neither taken back nor at its end."""
        ...

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        """Newest first, beginning behind the id `after`."""
        ...

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        """Run ids that begin with the prefix, or whose hash part does, newest first."""
        ...

    async def journal(self, run_id: str) -> Sequence[JournalLine]: ...

    async def evidence(self, run_id: str) -> Evidence | None:
        """All that is on record of a run, of one moment.

        With each write behind which a run is over, its journal's head is signed, if the store
        was given a signer.
        """
        ...
