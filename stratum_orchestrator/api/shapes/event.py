"""Events, what became of them, and what was decided about commands."""

from stratum_orchestrator.api.shapes.ground import Json, Moment, RunId, Shape


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


class Stored(Shape, frozen=True):
    """Where an event is stored, and where its verdict will be."""

    event_id: str
    sequence: int
    verdict: str


class Decision(Shape, frozen=True):
    """What the policies said to a command; `count` times between `first` and `last`."""

    id: str
    answer: str
    principal: str
    key: str
    action: str
    pipeline: str | None
    """Null where it is about the daemon, or `several` are not told apart."""
    run: RunId | None
    several: bool
    authorization: Json
    instance: str
    count: int
    first: Moment | None
    last: Moment | None


class Decisions(Shape, frozen=True):
    """A page of decisions."""

    decisions: list[Decision]
    next: str | None
