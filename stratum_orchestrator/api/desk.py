"""What the API needs of the daemon: what a person may ask of it, and have done."""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from stratum_graph.diagnostics import Diagnostic
from stratum_graph.generation import Generation
from stratum_graph.model import Plan, Principal
from stratum_orchestrator.api.news import News
from stratum_orchestrator.saga.attention import Attention, Needy
from stratum_orchestrator.saga.instruction import Obeyed, Wish
from stratum_orchestrator.saga.standings import Standings
from stratum_state.activation import ActivationRecord
from stratum_state.decision import DecisionRecord
from stratum_state.evidence import Evidence
from stratum_state.model import Fact, JournalLine, PipelineRun, Trail, VerdictRecord
from stratum_state.standing import Standing, StandingRecord
from stratum_state.store import DecisionFilter, RunFilter, VerdictFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold before events are taken in."""

    name: str
    ok: bool
    detail: str = ""
    """What was found; of a check that fails, why and what to do."""
    degraded: bool = False
    """It holds, but somebody should look: events are taken in all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attempt at bringing the definitions of now into force."""

    Kind = Literal["live", "unchanged", "refused", "failed"]
    kind: Kind
    """`refused` is for what is wrong with what was read, `failed` for a fault elsewhere."""
    reason: str
    """Why it was attempted."""
    generation: str
    """Digest of what is in force now."""
    at: int
    """Unix milliseconds."""
    took_ms: int = 0
    evaluated: int = 0
    """Files that were not known from earlier attempts."""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Names of nodes."""
    people: bool = False
    policies: bool = False
    """Whether principals and policies are others than before."""
    diagnostics: tuple[Diagnostic, ...] = ()
    why: str = ""
    """What is wrong, in a line; empty when it is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The daemon at a glance."""

    version: str
    instance: str
    started: int
    """Unix milliseconds."""
    generation: str | None
    """Digest; None before the first good one."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Of the latest load, whether it became the generation or not."""
    live_runs: int = 0
    reload: Outcome | None = None
    """The latest attempt that found something new; None before the first."""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Who writes through a lane, as the database tells it."""

    lane: str
    name: str
    """Empty when nobody has the lane."""
    heard_ms: int
    """Since it was last heard of."""
    is_this: bool
    """Whether it is the one that answers."""


class Change(Protocol):
    """One file that differs between two bundles."""

    @property
    def kind(self) -> Literal["added", "changed", "removed"]: ...
    @property
    def file(self) -> str: ...
    @property
    def lines(self) -> tuple[str, ...]:
        """Of a unified diff; none where a file is no text."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether there are more lines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A bundle that is or was in force here, or is kept."""

    digest: str
    generation: str
    signer: str
    activated: int | None
    """When it last came into force, Unix milliseconds; None when it never was."""
    by: str
    is_active: bool
    is_cached: bool
    live_runs: int
    """Runs under way that began with it and end with it."""
    runs: tuple[str, ...]
    """The newest of them."""


class Activations(Protocol):
    """What can be done about the bundle in force. Raises Denied and Impossible."""

    async def activate(self, wanted: str, wish: Wish) -> ActivationRecord: ...

    async def rollback(self, wish: Wish) -> ActivationRecord: ...

    async def versions(self) -> Sequence[Version]:
        """The bundles that were in force here, the latest first; then others that are kept."""
        ...

    async def difference(self, old: str, new: str) -> Sequence[Change]:
        """What differs between two bundles that are kept here, named by digest."""
        ...

    async def history(self) -> Sequence[ActivationRecord]:
        """Every activation that is on record, newest first."""
        ...


class Pipelines(Protocol):
    """What can be done about pipelines. Raises UnknownPipeline, Denied and Impossible."""

    async def stand(self, pipeline: str, kind: Standing, wish: Wish) -> StandingRecord:
        """Have it stand so from now on: active, paused or disabled."""
        ...

    def waiting(self, pipeline: str) -> int:
        """How many accepted runs of it wait at this instance."""
        ...

    @property
    def standings(self) -> Standings: ...


class Operations(Protocol):
    """What can be done about a run. Each raises UnknownRun, Denied, Impossible, Unavailable."""

    async def cancel(self, run_id: str, wish: Wish) -> Obeyed: ...

    async def abandon(self, run_id: str, wish: Wish) -> Obeyed: ...

    async def retry(self, run_id: str, wish: Wish, *, again: bool) -> Obeyed:
        """`again`: also when it completed."""
        ...

    async def undo_again(self, run_id: str, node: str, wish: Wish) -> Obeyed: ...

    async def waive(self, run_id: str, node: str, wish: Wish) -> Obeyed: ...

    async def approve(self, run_id: str, node: str, wish: Wish) -> Obeyed: ...

    async def reject(self, run_id: str, node: str, wish: Wish) -> Obeyed: ...


class Event(NamedTuple):
    """An event on its way to the broker."""

    subject: str
    headers: Mapping[str, str]
    body: bytes


class Hints(Protocol):
    """Who is told that there may be something new where bundles come from."""

    def heard(self, repositories: AbstractSet[str] | None) -> bool:
        """Something was pushed there, or nobody knows where; whether that leads to a look."""
        ...


class Desk(Protocol):
    """Where people ask. Reads raise Unavailable when the store is away."""

    @property
    def operations(self) -> Operations: ...

    @property
    def activations(self) -> Activations: ...

    @property
    def pipelines(self) -> Pipelines: ...

    @property
    def hints(self) -> Hints: ...

    @property
    def news(self) -> News:
        """What becomes durable in this process."""
        ...

    async def runs(
        self, wanted: RunFilter, *, after: str | None, limit: int
    ) -> Sequence[PipelineRun]:
        """Newest first, beginning behind the id `after`."""
        ...

    async def match(self, prefix: str, *, limit: int) -> Sequence[str]:
        """Run ids that begin with the prefix, or whose hash part does, newest first."""
        ...

    async def change(self, run_id: str, *, seen: int | None, within_s: float) -> int:
        """A number for the state that the run is in: at once when it differs from `seen`.

        Otherwise when the run changes, or after `within_s` seconds, whichever comes first.
        Numbers only tell states of one run apart; they may start anew with the daemon.
        """
        ...

    async def trail(self, run_id: str) -> Trail | None: ...

    async def plan(self, digest: str) -> Plan | None:
        """A plan of the current generation or of a run; None when it is not kept any more."""
        ...

    async def journal(self, run_id: str) -> Sequence[JournalLine]: ...

    async def evidence(self, run_id: str) -> Evidence | None:
        """All that is on record of a run, for its audit."""
        ...

    async def verdicts(
        self, wanted: VerdictFilter, *, after: str | None, limit: int
    ) -> Sequence[VerdictRecord]:
        """Newest first, beginning behind the id `after`."""
        ...

    async def verdict(self, sequence: int, *, within_s: float) -> VerdictRecord | None:
        """The verdict on the event of that stream sequence; waits up to `within_s` seconds.

        Raises BrokerAway when there is none yet and the stream cannot be asked.
        """
        ...

    async def decisions(
        self, wanted: DecisionFilter, *, after: str | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """What the policies said to commands, newest first, behind the id `after`."""
        ...

    async def needy(self, *, after: str | None, limit: int) -> Sequence[Needy]:
        """Runs that need a person, newest first, beginning behind the id `after`."""
        ...

    async def asking(self, *, after: str | None, limit: int) -> Sequence[Trail]:
        """Runs of which a question is open, newest first, beginning behind the id `after`."""
        ...

    def attention(self, trail: Trail) -> Attention | None:
        """Why the run needs a person, if it does."""
        ...

    async def pass_on(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        """Have the broker store a signed event; its sequence. Raises TransportError."""
        ...

    async def seal(
        self, who: Principal, event: Event, event_id: str | None
    ) -> Mapping[str, str]:
        """The event's headers with that principal's signature.

        Raises Impossible when its key is not here, or such an event cannot be signed.
        """
        ...

    async def instances(self) -> Sequence[Instance]:
        """Everybody who shares the database, lane by lane."""
        ...

    async def reload(self, wish: Wish) -> Outcome:
        """Bring the definitions of now into force, or say what stands in the way."""
        ...

    def graph(self) -> Generation | None:
        """The generation that new events are planned with; None before the first good one."""
        ...

    def checks(self) -> Sequence[Check]: ...

    def status(self) -> Status: ...


class SeenDesk(Desk, Protocol):
    """The desk as somebody sees it."""

    def sees(self, fact: Fact) -> bool:
        """Whether it may be told to who asks."""
        ...
