"""What the daemon says of a run, in the words of its journal, so that the two can be compared.

The daemon's answer leaves out a run's payload and identity; what it leaves out is not judged.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field

from stratum_orchestrator.audit.fold import Said
from stratum_orchestrator.cli.moment import parse
from stratum_orchestrator.cli.reading import Entry, Receipt
from stratum_state import canonical
from stratum_state.model import JournalLine
from stratum_state.moves import Place

Fields = dict[str, object]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Failure(Struct, frozen=True):
    """Why an attempt did not give what it should."""

    message: str | None = None
    exit_code: int | None = None
    error_class: str | None = field(name="class", default=None)


class Attempt(Struct, frozen=True):
    """One attempt at a node, or at undoing it."""

    node: str
    stage: int
    status: str
    attempt: int
    started: str
    ended: str | None
    error: Failure | None
    stderr: str | None
    level: str | None
    resources: object
    outcome: str | None = None
    """Of a compensation."""
    outputs: object = None
    """Of a step."""
    instruction: object = None
    """Of a compensation that was waived."""


class Event(Struct, frozen=True):
    """The event that opened the run."""

    id: str
    time: str
    publisher: str
    principal: str


class Record(Struct, frozen=True):
    """A run as the daemon shows it."""

    run: str
    pipeline: str
    status: str
    subject: str
    event: Event
    plan: str
    generation: str
    cause: str | None
    compensation: str | None
    accepted: str
    started: str | None
    ended: str | None
    authorization: object
    steps: tuple[Attempt, ...]
    compensations: tuple[Attempt, ...]
    waived: bool = False
    instruction: object = None
    trouble: object = None
    credentials: tuple[Receipt, ...] = ()
    change: int = 0

    def said(self) -> Said:
        """Field by field what is said of the run, its steps, compensations and leases."""
        said: dict[Place, Mapping[str, object]] = {("run",): self._run()}
        for step in self.steps:
            said[_place("step", step)] = _step(step)
        for undo in self.compensations:
            said[_place("compensation", undo)] = _undo(undo)
        for each in self.credentials:
            said["credential_lease", each.stage, each.node, each.attempt, each.purpose] = (
                _receipt(each)
            )
        return said

    def _run(self) -> Mapping[str, object]:
        return {
            "status": self.status,
            "pipeline": self.pipeline,
            "subject": self.subject,
            "event_id": self.event.id,
            "event_time": _ms(self.event.time),
            "publisher": self.event.publisher,
            "principal": self.event.principal,
            "plan": self.plan,
            "generation": self.generation,
            "cause": self.cause,
            "compensation": self.compensation,
            "accepted": _ms(self.accepted),
            "started": _ms(self.started),
            "ended": _ms(self.ended),
            "authorization": canonical.text(self.authorization),
            "waived": self.waived or None,
            "instruction": _text(self.instruction),
            "trouble": _text(self.trouble),
        }


def line(entry: Entry) -> JournalLine:
    """An entry of the journal as the daemon sent it, with nothing believed."""
    return JournalLine(
        run=entry.run,
        n=entry.n,
        at=_ms(entry.at) or 0,
        kind=entry.kind,
        body=entry.body,
        hash=entry.hash,
    )


def _place(subject: str, each: Attempt) -> Place:
    return subject, each.stage, each.node, each.attempt


def _step(step: Attempt) -> Fields:
    return _attempt(step) | {"outputs": _digest(_text(step.outputs))}


def _undo(undo: Attempt) -> Fields:
    told = _text(undo.instruction)
    return _attempt(undo) | {"outcome": undo.outcome, "instruction": told}


def _receipt(each: Receipt) -> Fields:
    return {
        "status": each.status,
        "names": list(each.names),
        "provider": each.provider,
        "policy": each.policy,
        "accessor": each.accessor,
        "requested": _ms(each.requested),
        "issued": _ms(each.issued),
        "expires": _ms(each.expires),
        "ended": _ms(each.ended),
        "detail": each.detail,
    }


def _attempt(each: Attempt) -> Fields:
    said: Fields = {
        "status": each.status,
        "started": _ms(each.started),
        "ended": _ms(each.ended),
        "stderr": _digest(each.stderr),
        "level": each.level,
        "resources": _text(each.resources),
    }
    if each.error is None:
        return said
    return said | {
        "error_class": each.error.error_class,
        "error": _digest(each.error.message),
        "exit_code": each.error.exit_code,
    }


def _text(value: object) -> str | None:
    return None if value is None else canonical.text(value)


def _digest(text: str | None) -> str | None:
    return None if text is None else canonical.digest(text)


def _ms(iso: str | None) -> int | None:
    """Unix milliseconds of what the API wrote."""
    return None if iso is None else (parse(iso) - _EPOCH) // timedelta(milliseconds=1)
