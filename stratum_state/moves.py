"""Which fact may follow which: the move tables applied to whole facts."""

from collections.abc import Mapping
from dataclasses import fields

from stratum_state.activation import ActivationRecord
from stratum_state.checkpoint import (
    ANSWER_BEGINNINGS,
    CHECKPOINT_BEGINNINGS,
    CHECKPOINT_MOVES,
    Answer,
    Checkpoint,
)
from stratum_state.credential import (
    CREDENTIAL_BEGINNINGS,
    CREDENTIAL_MOVES,
    CredentialLease,
)
from stratum_state.decision import DecisionRecord
from stratum_state.errors import IllegalMove, Rejected
from stratum_state.model import (
    COMPENSATION_BEGINNINGS,
    COMPENSATION_MOVES,
    RUN_BEGINNINGS,
    RUN_MOVES,
    STEP_BEGINNINGS,
    STEP_MOVES,
    CompensationRecord,
    Fact,
    PipelineRun,
    RunStatus,
    StepRecord,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord

Place = (
    tuple[str, ...]
    | tuple[str, int, str]
    | tuple[str, int, str, str]
    | tuple[str, int, str, int]
    | tuple[str, int, str, int, str]
)

REMARKS = frozenset({"instruction", "published", "trouble", "waived"})
"""What can be said of a run without moving it."""
ASIDES: Mapping[type[Fact], frozenset[str]] = {
    PipelineRun: REMARKS,
    Checkpoint: frozenset({"published"}),
}
"""The same, of everything of which something can be said so."""

_MOVING: Mapping[type[Fact], set[str]] = {
    PipelineRun: {"status", "started", "ended", "cause", "compensation", "notice", *REMARKS},
    StepRecord: {
        *("status", "ended", "outputs", "error_class", "error"),
        *("exit_code", "stderr", "level", "resources"),
    },
    CompensationRecord: {
        *("status", "ended", "error_class", "error"),
        *("exit_code", "stderr", "level", "resources", "instruction"),
    },
    VerdictRecord: set(),
    ActivationRecord: set(),
    StandingRecord: set(),
    DecisionRecord: set(),
    CredentialLease: {
        *("status", "accessor", "policy", "issued", "expires", "ended", "detail"),
    },
    Checkpoint: {"status", "ended", "detail", "published"},
    Answer: set(),
}
_KINDS: Mapping[type[Fact], str] = {
    PipelineRun: "run",
    StepRecord: "step",
    CompensationRecord: "compensation",
    VerdictRecord: "verdict",
    ActivationRecord: "activation",
    StandingRecord: "standing",
    DecisionRecord: "decision",
    CredentialLease: "credential",
    Checkpoint: "checkpoint",
    Answer: "answer",
}
LONELY = (VerdictRecord, ActivationRecord, StandingRecord, DecisionRecord)
"""What belongs to no run: each is a chain of its own, and never moves."""
FIELDS: Mapping[type[Fact], tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind)) for kind in _MOVING
}
"""The names of a fact's fields."""


def chain(fact: Fact) -> str:
    """The name of the chain that the fact belongs to: its run, or the fact itself."""
    if isinstance(fact, PipelineRun):
        return fact.id
    if isinstance(fact, LONELY):
        return f"{_KINDS[type(fact)]}:{fact.id}"
    return fact.run


def place(fact: Fact) -> Place:
    """The fact's place within its chain: later facts about the same thing have the same."""
    if isinstance(fact, StepRecord):
        return ("step", fact.stage, fact.node, fact.attempt)
    if isinstance(fact, CompensationRecord):
        return ("compensation", fact.stage, fact.node, fact.attempt)
    if isinstance(fact, CredentialLease):
        return ("credential_lease", fact.stage, fact.node, fact.attempt, fact.purpose)
    if isinstance(fact, Checkpoint):
        return ("checkpoint", fact.stage, fact.node)
    if isinstance(fact, Answer):
        return ("answer", fact.stage, fact.node, fact.person)
    return (_KINDS[type(fact)],)


def name(fact: Fact) -> str:
    """The fact's subject as error messages call it."""
    kind = _KINDS[type(fact)]
    if isinstance(fact, (PipelineRun, *LONELY)):
        return f"{kind} {fact.id}"
    if isinstance(fact, Checkpoint):
        return f"{kind} {fact.run}/{fact.node}"
    if isinstance(fact, Answer):
        return f"{kind} {fact.run}/{fact.node} of {fact.person}"
    return f"{kind} {fact.run}/{fact.node} (attempt {fact.attempt})"


def kind(fact: Fact) -> str:
    """What happened, as the journal calls it, like `run.accepted` or `step.timed-out`."""
    return f"{_KINDS[type(fact)]}.{_state(fact)}"


def changes(before: Fact | None, after: Fact) -> dict[str, object]:
    """The fields that a fact sets: all that are not None at first, then those that differ.

    Nothing when it says what is on record already. Raises IllegalMove when the tables do not
    allow it, Rejected when it alters what is fixed from the beginning.
    """
    if before is None:
        _begin(after)
        every = ((field, getattr(after, field)) for field in FIELDS[type(after)])
        return {field: value for field, value in every if value is not None}
    changed = _differences(before, after)
    if changed:
        if not changed.keys() <= ASIDES.get(type(after), frozenset()):
            _move(before, after)
        _keep(before, after, changed)
    return changed


def _differences(before: Fact, after: Fact) -> dict[str, object]:
    changed: dict[str, object] = {}
    for field in FIELDS[type(after)]:
        value = getattr(after, field)
        if value != getattr(before, field):
            changed[field] = value
    return changed


def _begin(fact: Fact) -> None:
    if isinstance(fact, PipelineRun):
        legal = fact.status in RUN_BEGINNINGS
    elif isinstance(fact, StepRecord):
        legal = fact.status in STEP_BEGINNINGS
    elif isinstance(fact, CredentialLease):
        legal = fact.status in CREDENTIAL_BEGINNINGS
    elif isinstance(fact, Checkpoint):
        legal = fact.status in CHECKPOINT_BEGINNINGS
    elif isinstance(fact, Answer):
        legal = fact.status in ANSWER_BEGINNINGS
    else:
        legal = isinstance(fact, LONELY) or fact.status in COMPENSATION_BEGINNINGS
    if not legal:
        raise IllegalMove(name(fact), "not on record", _state(fact))


def _move(before: Fact, after: Fact) -> None:
    match before, after:
        case PipelineRun(), PipelineRun():
            legal = after.status in RUN_MOVES[before.status]
        case StepRecord(), StepRecord():
            legal = after.status in STEP_MOVES[before.status]
        case CompensationRecord(), CompensationRecord():
            legal = after.status in COMPENSATION_MOVES[before.status]
        case CredentialLease(), CredentialLease():
            legal = after.status in CREDENTIAL_MOVES[before.status]
        case Checkpoint(), Checkpoint():
            legal = after.status in CHECKPOINT_MOVES[before.status]
        case _:
            legal = False
    if not legal:
        raise IllegalMove(name(after), _state(before), _state(after))


def _state(fact: Fact) -> str:
    return fact.kind if isinstance(fact, LONELY) else fact.status


def _keep(before: Fact, after: Fact, changed: dict[str, object]) -> None:
    fixed = changed.keys() - _MOVING[type(before)]
    if fixed:
        raise Rejected(name(after), f"{', '.join(sorted(fixed))} cannot change once recorded")
    if isinstance(after, PipelineRun) and (after.compensation is None) is (
        after.status is RunStatus.COMPENSATED
    ):
        raise Rejected(name(after), "a compensated run, and no other, says clean or partial")
    if isinstance(after, PipelineRun) and after.waived and not after.compensation:
        raise Rejected(name(after), "only what a compensated run left undone can be waived")
