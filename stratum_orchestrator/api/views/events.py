"""What became of events and of pipelines, and what the policies said to commands."""

from stratum_orchestrator.api.views.ground import View, decoded, iso
from stratum_state.decision import SEVERAL, DecisionRecord
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


def decision(record: DecisionRecord) -> View:
    """What the policies said to a command, once or several times."""
    return {
        "id": record.id,
        "answer": record.kind.value,
        "principal": record.principal,
        "key": record.key,
        "action": record.action,
        "pipeline": record.pipeline if record.pipeline not in {"", SEVERAL} else None,
        "run": record.of_run or None,
        "several": record.pipeline == SEVERAL,
        "authorization": decoded(record.authorization),
        "instance": record.instance,
        "count": record.count,
        "first": iso(record.first),
        "last": iso(record.last),
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
