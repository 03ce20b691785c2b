"""What became of events, and of pipelines."""

from stratum_orchestrator.api.views.ground import View, decoded, iso
from stratum_state.model import (
    VerdictRecord,
)
from stratum_state.standing import StandingRecord


def standing(record: StandingRecord) -> View:
    """One change of how a pipeline stands."""
    return {
        "pipeline": record.pipeline,
        "standing": record.kind.value,
        "by": record.by,
        "reason": record.reason,
        "authorization": decoded(record.authorization),
        "at": iso(record.at),
    }


def verdict(record: VerdictRecord) -> View:
    """What became of one event."""
    return {
        "id": record.id,
        "sequence": record.sequence,
        "subject": record.subject,
        "event_id": record.event_id,
        "publisher": record.publisher,
        "kind": record.kind.value,
        "code": record.code,
        "reason": record.reason,
        "runs": list(record.runs),
        "authorization": decoded(record.authorization),
        "stored": iso(record.stored),
        "at": iso(record.at),
    }
