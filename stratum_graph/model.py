"""Nodes, principals and plans: frozen data, nothing that does anything.

The shapes mirror the Nickel contracts in `ncl/`; decoding is strict, so a field that the
contract has and this page lacks is an error at load and never silently ignored.
Durations are seconds, sizes are bytes: the contracts normalise both.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

JsonSchema = Mapping[str, object]
Condition = Mapping[str, object]
Effect = Literal["pure", "external", "irreversible"]
ErrorClass = Literal[
    "exit",
    "timeout",
    "bad-input",
    "bad-output",
    "limit",
    "spawn",
    "lost",
    "secret-leak",
    "credential",
    "denied",
]
LeastLevel = Literal["limits", "landlock", "bubblewrap"]
OnLeak = Literal["fail", "redact"]
Undone = Literal["succeeded", "interrupted", "failed"]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one process of a step may use."""

    memory: int = 2 << 30
    """Address space, bytes."""
    cpu: float = 3600
    """Processor time, seconds."""
    open_files: int = 1024
    file_size: int = 1 << 30
    """Largest file it may write, bytes."""
    output: int = 16 << 20
    """Largest stdout accepted, bytes."""


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often, how soon and after which failures an attempt is repeated."""

    attempts: int = 1
    delay: float = 1
    factor: float = 2
    max_delay: float = 60
    jitter: float = 0.1
    """Share of the delay that is drawn at random, 0 to 1."""
    on: tuple[ErrorClass, ...] = ("exit", "timeout", "spawn", "lost", "credential")


class Trigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events start the pipeline at this node."""

    pipeline: str
    subjects: tuple[str, ...]
    when: Condition | None = None


class Handler(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The script that does the node's work, and what it may touch."""

    script: str
    """Path relative to the definition's folder."""
    env: Mapping[str, str] = {}
    limits: Limits = Limits()
    std_lib: bool = False
    network: bool = False
    containment: LeastLevel = "limits"
    """The least that its processes have to be contained with."""
    on_leak: OnLeak = "fail"
    """What becomes of a step that prints a secret to stdout."""
    path: tuple[str, ...] = ()
    """Absolute folders put in front of the default PATH."""
    read: tuple[str, ...] = ()
    """Absolute paths, or `event.x` / `inputs.x.y` references to one, that may be read."""
    write: tuple[str, ...] = ()
    """Likewise, that may be written."""


class Compensate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The script that undoes what the handler did."""

    script: str
    env: Mapping[str, str] = {}
    timeout: float = 300
    retry: Retry = Retry(attempts=3)
    on: tuple[Undone, ...] = ("succeeded", "interrupted")


class Credential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that is leased for one process, and the variable in which it finds it."""

    name: str
    """How records call it."""
    env: str
    engine: Literal["kv", "dynamic", "token"] = "kv"
    """A stored secret, one that an engine makes on request, or the lease's own token."""
    path: str = ""
    """Mount and path within it."""
    field: str = ""
    params: Mapping[str, str] = {}
    """Of the request for a dynamic one; without any, it is read."""
    ttl: float | None = None
    """How long a dynamic one has to last, seconds; None is as long as its process may run."""


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to people: the node begins when they have approved."""

    groups: tuple[str, ...]
    """Members of any of them may answer."""
    count: int = 1
    """How many different people have to approve; one who rejects is enough."""
    timeout: float = 86400
    """How long they have, seconds."""
    on_timeout: Literal["reject", "approve"] = "reject"


class ActionNode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step that can run: what starts it, what it needs, what it gives, how to undo it."""

    schema: Literal["stratum/v1"]
    name: str
    version: str = "0.0.0"
    description: str = ""
    labels: Mapping[str, str] = {}
    enabled: bool = True
    trigger: Trigger | None = None
    consumes: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    """Capabilities for which this node wins over other providers."""
    input_schemas: Mapping[str, JsonSchema] = {}
    """By capability; the reserved key `event` is the payload's contract."""
    output_schemas: Mapping[str, JsonSchema] = {}
    handler: Handler
    compensate: Compensate | None = None
    effect: Effect = "external"
    timeout: float = 300
    """Wall-clock limit of one attempt, seconds."""
    retry: Retry = Retry()
    when: Condition | None = None
    credentials: tuple[Credential, ...] = ()
    ask: Ask | UnsetType = UNSET
    """Left out of plans that do not ask: they keep the digests that they had before."""

    @property
    def question(self) -> Ask | None:
        """What people are asked before its first attempt."""
        return self.ask if isinstance(self.ask, Ask) else None


class Definition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node, where it was declared and the digest of the files that it runs with."""

    node: ActionNode
    file: str
    """Path of the `.ncl` file below its source, with forward slashes."""
    line: int = 1
    """Where the node begins in that file."""
    tree: str
    """`sha256:…` of the definition's folder in the content store; scripts lie in it."""


class FurtherKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as good as the principal's own, for a time: the old one while it changes."""

    key: str
    not_after: Annotated[datetime, Meta(tz=True)] | None = None
    """What was stored later under this key does not count; None means no end."""


class Principal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may sign events: a person or an agent."""

    key: str
    """Public user NKey (`U…`): the one of now, and what policies compare."""
    name: str
    keys: tuple[FurtherKey, ...] = ()
    """Others that are valid beside it."""
    revoked: tuple[str, ...] = ()
    """Public keys that were the principal's and never count again, not even for old events."""
    kind: Literal["user", "agent"] = "user"
    tenant: str = "default"
    groups: tuple[str, ...] = ()
    active: bool = True
    subjects: tuple[str, ...] = ()
    """What the embedded server lets its keys publish to; empty means every event subject."""

    @property
    def every_key(self) -> tuple[str, ...]:
        """All that are or were the principal's."""
        return (self.key, *(each.key for each in self.keys), *self.revoked)

    def fault_of(self, key: str, at_ms: int) -> Literal["", "revoked", "expired"]:
        """Why a key of the principal's did not count then; empty when it did."""
        if key in self.revoked:
            return "revoked"
        ends = {each.key: each.not_after for each in self.keys}
        end = None if key == self.key else ends.get(key)
        return "expired" if end is not None and at_ms >= end.timestamp() * 1000 else ""


class PlannedNode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node in its place."""

    definition: Definition
    stage: int
    triggered: bool
    """Whether the event itself started it."""


class Pruned(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node that belongs to the pipeline and does not run, and why."""

    node: str
    why: str


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stages for one pipeline and the nodes that an event matched: the shape of a run."""

    pipeline: str
    nodes: tuple[PlannedNode, ...]
    """In stage order, by name within a stage."""
    stages: tuple[tuple[int, ...], ...]
    """Indexes into `nodes`."""
    providers: Mapping[str, int] = {}
    """Capability to the index of the node that produces it."""
    pruned: tuple[Pruned, ...] = ()
    digest: str = ""
    """`sha256:…` over the plan's own JSON with sorted keys and an empty digest."""
