"""What answers look like: the shapes behind `/openapi.json`. `views.py` makes them.

Tests hold every answer against its shape, in both directions.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""ISO 8601, UTC, with milliseconds."""
Json = Annotated[object, Meta(extra_json_schema={"description": "Any JSON."})]
RunId = Annotated[str, Meta(pattern="^[0-9a-f]{25}$")]


class Shape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every key is always there; what is unknown is null."""


class Problem(Shape, frozen=True):
    """RFC 9457, with a stable word for programs and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    instance: str | None
    """URN of this one occurrence, where the daemon's log tells more about it."""


class Source(Shape, frozen=True):
    """The event that opened a run."""

    id: str
    time: Moment | None
    publisher: str
    principal: str


class Event(Source, frozen=True):
    """The same, with what it says."""

    subject: str
    data: Json


class Error(Shape, frozen=True):
    """Why an attempt did not give what it should."""

    error_class: str | None = field(name="class")
    message: str | None
    exit_code: int | None


class Step(Shape, frozen=True):
    """One attempt at a node."""

    node: str
    stage: int
    status: str
    attempt: int
    started: Moment | None
    ended: Moment | None
    outputs: dict[str, Json] | None
    error: Error | None
    stderr: str | None
    level: str | None
    resources: dict[str, Json] | None


class Undo(Shape, frozen=True):
    """One attempt at undoing a node."""

    node: str
    stage: int
    status: str
    attempt: int
    outcome: str
    started: Moment | None
    ended: Moment | None
    error: Error | None
    stderr: str | None
    level: str | None
    resources: dict[str, Json] | None
    instruction: dict[str, Json] | None


class Credential(Shape, frozen=True):
    """What a script was lent: a receipt, never a value."""

    node: str
    stage: int
    attempt: int
    purpose: Literal["do", "undo"]
    names: list[str]
    provider: str
    status: str
    policy: str | None
    accessor: str | None
    requested: Moment | None
    issued: Moment | None
    expires: Moment | None
    ended: Moment | None
    detail: str | None


class Attention(Shape, frozen=True):
    """Why a run needs a person, and what helps."""

    code: str
    reason: str
    commands: list[str]


class Head(Shape, frozen=True):
    """A run as a list shows it."""

    run: RunId
    pipeline: str
    status: str
    subject: str
    event: Source
    plan: str
    generation: str
    trace: str
    cause: str | None
    compensation: Literal["clean", "partial"] | None
    waived: bool
    instruction: dict[str, Json] | None
    trouble: dict[str, Json] | None
    accepted: Moment | None
    started: Moment | None
    ended: Moment | None
    authorization: dict[str, Json] | None


class Listed(Head, frozen=True):
    """Likewise; `attention` is there when those that need a person are listed."""

    attention: Attention | UnsetType = UNSET


class Run(Head, frozen=True):
    """One run, whole."""

    event: Event
    stages: list[list[str]]
    steps: list[Step]
    compensations: list[Undo]
    credentials: list[Credential]
    attention: Attention | None
    change: int


class Runs(Shape, frozen=True):
    """A page of runs."""

    runs: list[Listed]
    next: str | None


class Edge(Shape, frozen=True):
    """What one node gives another."""

    from_: str = field(name="from")
    to: str
    capability: str


class PlannedNode(Shape, frozen=True):
    """A node in its place in a plan."""

    name: str
    stage: int
    triggered: bool
    version: str
    description: str
    file: str
    tree: str
    effect: str
    consumes: list[str]
    produces: list[str]
    compensated: bool
    timeout_s: float
    attempts: int


class Pruned(Shape, frozen=True):
    """A node that does not run, and why."""

    node: str
    why: str


class Plan(Shape, frozen=True):
    """What a run is made of."""

    plan: str
    pipeline: str
    stages: list[list[str]]
    nodes: list[PlannedNode]
    edges: list[Edge]
    pruned: list[Pruned]


class NodeOfRun(Shape, frozen=True):
    """One node of a run: what it was given, all that was tried."""

    run: RunId
    definition: PlannedNode
    event: Event
    inputs: dict[str, Json]
    idempotency_key: str
    steps: list[Step]
    compensations: list[Undo]
    credentials: list[Credential]


class Log(Shape, frozen=True):
    """What a script said on stderr."""

    node: str
    script: Literal["run", "undo"]
    attempt: int
    status: str
    started: Moment | None
    ended: Moment | None
    stderr: str


class Logs(Shape, frozen=True):
    """Attempt by attempt, as they began."""

    run: RunId
    logs: list[Log]


class Entry(Shape, frozen=True):
    """One entry of a journal; `hash` is the sha256 of `body`."""

    run: str
    n: int
    at: Moment | None
    kind: str
    body: str
    hash: str


class Journal(Shape, frozen=True):
    """A run's hash-chained audit, whole."""

    run: RunId
    journal: list[Entry]


class Evidence(Shape, frozen=True):
    """Everything on record of a run: entries, rows and signed heads, one in each."""

    format: Literal["stratum-trail-v1"]
    run: RunId
    rows: list[dict[str, Json]]


class Verdict(Shape, frozen=True):
    """What became of one event."""

    id: str
    sequence: int
    subject: str
    event_id: str
    publisher: str
    kind: str
    code: str
    reason: str
    runs: list[str]
    authorization: Json
    stored: Moment | None
    at: Moment | None


class Verdicts(Shape, frozen=True):
    """A page of verdicts."""

    verdicts: list[Verdict]
    next: str | None


class Check(Shape, frozen=True):
    """One readiness check."""

    name: str
    ok: bool
    degraded: bool
    detail: str


class Finding(Shape, frozen=True):
    """One finding about a definition."""

    file: str
    line: int | None
    column: int | None
    severity: str
    message: str
    hint: str | None


class Reload(Shape, frozen=True):
    """What came of an attempt to bring the definitions of then into force."""

    outcome: Literal["live", "unchanged", "refused", "failed"]
    reason: str
    generation: str
    at: Moment | None
    took_ms: int
    evaluated: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    principals_changed: bool
    policies_changed: bool
    why: str
    diagnostics: list[Finding]


class Status(Shape, frozen=True):
    """The daemon at a glance."""

    version: str
    instance: str
    started: Moment | None
    generation: str | None
    diagnostics: list[Finding]
    reload: Reload | None
    live_runs: int
    checks: list[Check]


class Trigger(Shape, frozen=True):
    """Which events start a pipeline at a node."""

    pipeline: str
    subjects: list[str]


class GraphNode(Shape, frozen=True):
    """A node of the generation."""

    name: str
    version: str
    description: str
    file: str
    tree: str
    enabled: bool
    effect: str
    trigger: Trigger | None
    consumes: list[str]
    produces: list[str]
    compensated: bool


class Graph(Shape, frozen=True):
    """The generation that new events are planned with."""

    generation: str
    pipelines: list[str]
    nodes: list[GraphNode]
    edges: list[Edge]


class Standing(Shape, frozen=True):
    """One change of how a pipeline stands."""

    pipeline: str
    standing: Literal["active", "paused", "disabled"]
    by: str
    reason: str
    authorization: Json
    at: Moment | None


class Pipeline(Shape, frozen=True):
    """What can be triggered. `held` is who had it stand as it does, if anybody did."""

    pipeline: str
    subjects: list[str]
    triggered: list[str]
    nodes: int
    standing: Literal["active", "paused", "disabled"]
    held: Standing | None
    waiting: int


class Pipelines(Shape, frozen=True):
    """All of them."""

    generation: str
    pipelines: list[Pipeline]


class Instance(Shape, frozen=True):
    """Who writes through a lane."""

    lane: str
    instance: str | None
    heard_ms: int
    this: bool


class Instances(Shape, frozen=True):
    """Everybody who shares the database."""

    instances: list[Instance]


class Visitor(Shape, frozen=True):
    """As whom a token acts."""

    principal: str
    kind: str
    tenant: str
    groups: list[str]
    token: str


class Open(Struct, frozen=True):
    """An object that says by itself what it holds."""


class Version(Shape, frozen=True):
    """A bundle that is or was in force."""

    digest: str
    generation: str
    signer: str | None
    activated: Moment | None
    by: str
    active: bool
    cached: bool
    live_runs: int
    runs: list[str]


class Versions(Shape, frozen=True):
    """The latest first."""

    versions: list[Version]


class Change(Shape, frozen=True):
    """One file that differs; the lines are those of a unified diff."""

    change: Literal["added", "changed", "removed"]
    file: str
    lines: list[str]
    cut: bool


class Difference(Shape, frozen=True):
    """What differs between two bundles."""

    from_: str = field(name="from")
    to: str
    changes: list[Change]


class Activation(Shape, frozen=True):
    """One change of the bundle in force."""

    id: str
    source: str
    digest: str
    previous: str | None
    generation: str
    signer: str | None
    kind: Literal["configured", "activated", "rolled-back"]
    by: str
    reason: str
    authorization: Json
    at: Moment | None


class History(Shape, frozen=True):
    """Newest first."""

    activations: list[Activation]


class Wish(Shape, frozen=True):
    """Why an operator wants it; it goes into the journal."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]


class RetryWish(Wish, frozen=True):
    """Likewise; `again`: also when the run completed."""

    again: bool = False


class ActivationWish(Wish, frozen=True):
    """Likewise; `wanted` is a tag or a digest."""

    wanted: Annotated[str, Meta(min_length=1, max_length=200)]


class Obeyed(Shape, frozen=True):
    """The run that it is about, or that it made."""

    run: RunId
    detail: str


class Stored(Shape, frozen=True):
    """Where an event is stored, and where its verdict will be."""

    event_id: str
    sequence: int
    verdict: str
