"""The parts of a run that are asked for one by one."""

from typing import Literal

from stratum_orchestrator.api.shapes.graph import PlannedNode
from stratum_orchestrator.api.shapes.ground import Json, Moment, RunId, Shape
from stratum_orchestrator.api.shapes.run import Checkpoint, Credential, Event, Step, Undo


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
    checkpoints: list[Checkpoint]


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
