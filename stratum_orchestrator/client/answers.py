"""What the daemon answers, decoded. Fields that a newer daemon adds are passed over."""

from typing import Literal

from msgspec import Struct, field

from stratum_graph.diagnostics import Diagnostic


class Failure(Struct, frozen=True):
    """Why an attempt did not give what it should."""

    message: str | None = None
    exit_code: int | None = None
    error_class: str | None = field(name="class", default=None)


class Used(Struct, frozen=True):
    """What a process and its children used; milliseconds and bytes."""

    cpu_ms: int = 0
    max_rss: int | None = None


class Step(Struct, frozen=True):
    """One attempt at a node."""

    node: str
    stage: int
    status: str
    attempt: int
    started: str | None = None
    ended: str | None = None
    outputs: dict[str, object] | None = None
    error: Failure | None = None
    stderr: str | None = None
    resources: Used | None = None


class Instruction(Struct, frozen=True):
    """What an operator said, and why."""

    action: str
    by: str
    reason: str


class Undo(Struct, frozen=True):
    """One attempt at undoing a node."""

    node: str
    stage: int
    status: str
    attempt: int
    outcome: str
    started: str | None = None
    ended: str | None = None
    error: Failure | None = None
    stderr: str | None = None
    resources: Used | None = None
    instruction: Instruction | None = None


class Receipt(Struct, frozen=True):
    """What one process was lent; never a value."""

    node: str
    stage: int
    attempt: int
    purpose: str
    names: tuple[str, ...]
    provider: str
    status: str
    requested: str
    policy: str | None = None
    accessor: str | None = None
    issued: str | None = None
    expires: str | None = None
    ended: str | None = None
    detail: str | None = None


class Answer(Struct, frozen=True):
    """What one person said to a question."""

    person: str
    status: str
    at: str
    reason: str = ""


class Checkpoint(Struct, frozen=True):
    """A question to people before a node begins."""

    run: str
    node: str
    status: str
    groups: tuple[str, ...]
    count: int
    on_timeout: str
    deadline: str
    plan: str
    inputs: str
    asked: str
    ended: str | None = None
    detail: str | None = None
    answers: tuple[Answer, ...] = ()
    pipeline: str = ""
    """In a list of what is asked in many runs."""


class Checkpoints(Struct, frozen=True):
    """What people are asked, page by page."""

    checkpoints: tuple[Checkpoint, ...]
    next: str | None = None


class Event(Struct, frozen=True):
    """The event that opened a run."""

    id: str
    time: str | None
    publisher: str
    principal: str


class Attention(Struct, frozen=True):
    """Why a run needs a person, and what helps."""

    code: str
    reason: str
    commands: tuple[str, ...] = ()


class Stored(Struct, frozen=True):
    """Where an event is stored; its verdict follows under that sequence."""

    event_id: str
    sequence: int


class Obeyed(Struct, frozen=True):
    """What came of a command: the run that it is about, or that it made."""

    run: str
    detail: str = ""


class Run(Struct, frozen=True):
    """A run; in a list, without its stages, steps and compensations."""

    id: str = field(name="run")
    pipeline: str
    status: str
    subject: str
    event: Event
    plan: str
    accepted: str
    started: str | None = None
    ended: str | None = None
    cause: str | None = None
    compensation: str | None = None
    waived: bool = False
    attention: Attention | None = None
    stages: tuple[tuple[str, ...], ...] = ()
    steps: tuple[Step, ...] = ()
    compensations: tuple[Undo, ...] = ()
    credentials: tuple[Receipt, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    change: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in {"completed", "compensated", "abandoned"}


class Log(Struct, frozen=True):
    """What one attempt's script said on stderr."""

    node: str
    script: str
    attempt: int
    status: str
    started: str
    ended: str | None
    stderr: str


class Logs(Struct, frozen=True):
    """What a run's scripts said, attempt by attempt."""

    logs: tuple[Log, ...]


class Decision(Struct, frozen=True):
    """What the policies said about one pipeline; fields are None when none were asked."""

    pipeline: str
    code: str = ""
    reason: str = ""
    allowed: bool | None = None
    policies: tuple[str, ...] = ()
    policy_set: str | None = None
    version: str = ""
    """Which the event named."""


class Verdict(Struct, frozen=True):
    """What became of one event."""

    id: str
    sequence: int
    subject: str
    event_id: str
    publisher: str
    kind: str
    code: str
    reason: str
    runs: tuple[str, ...]
    at: str
    stored: str
    authorization: tuple[Decision, ...] = ()


class Standing(Struct, frozen=True):
    """How a pipeline stands, and who wanted that."""

    pipeline: str
    standing: str
    by: str
    reason: str
    at: str


class Pipeline(Struct, frozen=True):
    """What can be triggered, by which subjects, and how it stands."""

    name: str = field(name="pipeline")
    subjects: tuple[str, ...]
    nodes: int = 0
    standing: str = "active"
    held: Standing | None = None
    waiting: int = 0


class Pipelines(Struct, frozen=True):
    """All that can be triggered."""

    pipelines: tuple[Pipeline, ...]


class Entry(Struct, frozen=True):
    """One line of a run's journal."""

    run: str
    n: int
    at: str
    kind: str
    body: str
    hash: str


class Runs(Struct, frozen=True):
    """A page of runs."""

    runs: tuple[Run, ...]
    next: str | None = None


class Ruling(Struct, frozen=True):
    """What the policies said to a command; `count` times between `first` and `last`."""

    id: str
    answer: str
    principal: str
    action: str
    count: int
    first: str
    last: str
    authorization: dict[str, object]
    pipeline: str | None = None
    run: str | None = None
    several: bool = False
    instance: str = ""


class Rulings(Struct, frozen=True):
    """A page of decisions."""

    decisions: tuple[Ruling, ...]
    next: str | None = None


class Verdicts(Struct, frozen=True):
    """A page of verdicts."""

    verdicts: tuple[Verdict, ...]
    next: str | None = None


class Journal(Struct, frozen=True):
    """A run's whole journal."""

    journal: tuple[Entry, ...]


class Complaint(Struct, frozen=True):
    """The problem details of an answer that is an error (RFC 9457)."""

    detail: str = ""
    remedy: str = ""
    code: str = ""


class Address(Struct, frozen=True):
    """Where the daemon of a home is, as it says itself in `run/daemon.json`."""

    http: str
    nats: str
    pid: int
    audience: str
    stream: str


class Check(Struct, frozen=True):
    """One of the daemon's readiness checks."""

    name: str
    ok: bool
    detail: str = ""
    degraded: bool = False

    @property
    def verdict(self) -> Literal["ok", "warn", "fail"]:
        return "fail" if not self.ok else "warn" if self.degraded else "ok"


class Reload(Struct, frozen=True):
    """What came of an attempt to bring new definitions into force."""

    outcome: str
    reason: str
    generation: str
    at: str
    took_ms: int
    why: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Health(Struct, frozen=True):
    """The daemon at a glance."""

    version: str
    instance: str = ""
    generation: str | None = None
    live_runs: int = 0
    reload: Reload | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    checks: tuple[Check, ...] = ()


class Version(Struct, frozen=True):
    """A bundle that is or was in force, or is kept."""

    digest: str
    generation: str
    activated: str | None
    by: str
    active: bool
    cached: bool
    live_runs: int
    signer: str | None = None
    runs: tuple[str, ...] = ()


class Versions(Struct, frozen=True):
    """All of them, the latest first."""

    versions: tuple[Version, ...]


class Activation(Struct, frozen=True):
    """One change of the bundle in force."""

    digest: str
    kind: str
    by: str
    reason: str
    at: str
    previous: str | None = None


class Activations(Struct, frozen=True):
    """All of them, the latest first."""

    activations: tuple[Activation, ...]


class Lane(Struct, frozen=True):
    """Who writes through a lane, and how long ago it was heard of."""

    lane: str
    instance: str | None
    heard_ms: int


class Instances(Struct, frozen=True):
    """Everybody who shares the database, lane by lane."""

    instances: tuple[Lane, ...]
