"""Events, and what became of them."""

from stratum_orchestrator.api.shapes.ground import Json, Moment, Shape


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
