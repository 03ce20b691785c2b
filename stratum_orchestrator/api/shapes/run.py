"""Runs, and what happened in them."""

from typing import Literal

from msgspec import UNSET, UnsetType, field

from stratum_orchestrator.api.shapes.ground import Json, Moment, RunId, Shape


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


class Answer(Shape, frozen=True):
    """What one person said to a question, and by what right."""

    run: RunId
    node: str
    person: str
    status: Literal["approved", "rejected"]
    reason: str
    at: Moment | None
    plan: str
    instruction: dict[str, Json] | None


class Checkpoint(Shape, frozen=True):
    """A question to people before a node begins."""

    run: RunId
    node: str
    stage: int
    status: str
    groups: list[str]
    count: int
    on_timeout: Literal["reject", "approve"]
    plan: str
    inputs: str
    asked: Moment | None
    deadline: Moment | None
    ended: Moment | None
    detail: str | None
    answers: list[Answer]


class OpenCheckpoint(Checkpoint, frozen=True):
    """One that is open, beside those of other runs."""

    pipeline: str
    subject: str


class Checkpoints(Shape, frozen=True):
    """A page of open questions; those of one run are on one page."""

    checkpoints: list[OpenCheckpoint]
    next: str | None


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
    checkpoints: list[Checkpoint]
    attention: Attention | None
    change: int


class Runs(Shape, frozen=True):
    """A page of runs."""

    runs: list[Listed]
    next: str | None
