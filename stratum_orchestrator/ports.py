"""What the saga needs of the world. Adapters are chosen in `boot` and nowhere else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from stratum_graph.model import (
    Credential,
    ErrorClass,
    LeastLevel,
    Limits,
    OnLeak,
    Principal,
)


class Kind(Enum):
    """Which of a node's two scripts."""

    DO = "do"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Everything that one process of a step needs."""

    run: str
    node: str
    attempt: int
    kind: Kind
    pipeline: str
    tree: str
    """Digest of the definition's folder in the content store."""
    script: str
    """Path within that folder."""
    stdin: bytes
    env: Mapping[str, str]
    on_leak: OnLeak = "fail"
    containment: LeastLevel = "limits"
    """The least that the process may be contained with."""
    limits: Limits
    std_lib: bool
    network: bool
    path: tuple[str, ...]
    read: tuple[str, ...]
    """Absolute paths."""
    write: tuple[str, ...]
    timeout_s: float
    trace: str = ""
    """The W3C `traceparent` that the run's event came with."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variable to leased value: the one place where values travel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a process and its children used."""

    cpu_ms: int
    """In all."""
    user_ms: int = 0
    """Of that, in its own code."""
    system_ms: int = 0
    """Of that, in the kernel for it."""
    max_rss: int
    """Bytes."""
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a process did not give what it should."""

    error_class: ErrorClass
    message: str
    """For a reader, with the remedy where one is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended. Its whole tree is gone when this exists."""

    outputs: Mapping[str, object] | None
    """The one JSON object of stdout; None when it failed."""
    failure: Failure | None = None
    exit_code: int | None = None
    stderr: str = ""
    level: str = ""
    resources: Resources | None = None


Equip = Callable[[Command], Awaitable[Command]]
"""Gives the command as it is to be run, when its turn has come."""


async def as_it_is(command: Command) -> Command:
    """Nothing has to be added."""
    return command


class Runner(Protocol):
    """Runs one process of a step to its end."""

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        """Return how it ended; never raise for what the script did, only what `equip` raises.

        When cancelled, end the whole process tree first, then let the cancellation through.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one process wants leased, and for how long."""

    run: str
    node: str
    attempt: int
    kind: Kind
    credentials: tuple[Credential, ...]
    runs_s: float
    """How long the process may run, in seconds."""
    lasts_s: float
    """How long the lease is to last: somewhat longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Access that was given and not used yet."""

    accessor: str | None
    """By which it can be ended, and nothing else; None when there is nothing to end."""
    policy: str
    """What the provider calls the rights that it gives."""
    lasts_s: float
    """How long it really lasts."""
    key: str = field(repr=False)
    """What reads the values."""


class CredentialBroker(Protocol):
    """Lends values to processes, and takes access back.

    Each call raises CredentialsDenied or CredentialsUnavailable, within a bounded time.
    """

    @property
    def provider(self) -> str:
        """What records call it."""
        ...

    @property
    def login(self) -> str | None:
        """The accessor of our own login: ending it ends all that was granted under it."""
        ...

    async def grant(self, claim: Claim) -> Grant:
        """Give access. Nothing is read with it before its accessor is on record."""
        ...

    async def read(self, claim: Claim, grant: Grant) -> Mapping[str, str]:
        """Environment variable to value."""
        ...

    async def revoke(self, accessor: str) -> None:
        """End what has this accessor; it may have ended already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """On whose behalf an agent does something, and by which grant."""

    grant: str
    """Id."""
    agent: str
    """Public key of the agent's principal."""
    user: str
    """Name."""
    key: str
    """Public key of the user's principal."""
    expires: int
    """Unix milliseconds."""
    text: str
    """The grant as the user signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policies say, and which of them."""

    allowed: bool
    policies: tuple[str, ...]
    """Ids of the policies that decided."""
    errors: tuple[str, ...]
    policy_set: str
    """Digest."""
    reason: str
    """One sentence for a reader."""
    mandate: Mandate | None = None
    """With a grant, for whom."""


class Authorizer(Protocol):
    """Decides whether a principal may do something. Any doubt is a no."""

    def decide(
        self,
        principal: Principal,
        action: str,
        pipeline: str,
        context: Mapping[str, object],
    ) -> Decision: ...


class Clock(Protocol):
    """The wall clock. Durations within a process come from the event loop instead."""

    def now_ms(self) -> int: ...


class Rng(Protocol):
    """Where jitter comes from."""

    def random(self) -> float: ...
