"""The journal folded into what it says is the case now, held against what is on record.

I17: entries are gap-free and chained, moves are legal, and the record says the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation
from stratum_state import canonical, moves
from stratum_state.checkpoint import (
    ANSWER_BEGINNINGS,
    CHECKPOINT_BEGINNINGS,
    CHECKPOINT_MOVES,
    Checkpoint,
)
from stratum_state.credential import CREDENTIAL_BEGINNINGS, CREDENTIAL_MOVES
from stratum_state.model import (
    COMPENSATION_BEGINNINGS,
    COMPENSATION_MOVES,
    RUN_BEGINNINGS,
    RUN_MOVES,
    STEP_BEGINNINGS,
    STEP_MOVES,
    Fact,
    Trail,
)

Said = Mapping[moves.Place, Mapping[str, object]]
"""Field by field what is said of each thing; payloads as their digest. In order of moves."""

_BULK = frozenset({"data", "outputs", "error", "stderr"})
_NAMING = frozenset({"run", "id"})
_BEGINNINGS: Mapping[str, frozenset[str]] = {
    "run": frozenset(RUN_BEGINNINGS),
    "step": frozenset(STEP_BEGINNINGS),
    "compensation": frozenset(COMPENSATION_BEGINNINGS),
    "credential": frozenset(CREDENTIAL_BEGINNINGS),
    "checkpoint": frozenset(CHECKPOINT_BEGINNINGS),
    "answer": frozenset(ANSWER_BEGINNINGS),
}
_MOVES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "run": {str(status): frozenset(ahead) for status, ahead in RUN_MOVES.items()},
    "step": {str(status): frozenset(ahead) for status, ahead in STEP_MOVES.items()},
    "compensation": {
        str(status): frozenset(ahead) for status, ahead in COMPENSATION_MOVES.items()
    },
    "credential": {str(status): frozenset(ahead) for status, ahead in CREDENTIAL_MOVES.items()},
    "checkpoint": {str(status): frozenset(ahead) for status, ahead in CHECKPOINT_MOVES.items()},
    "answer": {str(status): frozenset() for status in ANSWER_BEGINNINGS},
}
_ASIDES: Mapping[str, frozenset[str]] = {
    "run": moves.REMARKS,
    "checkpoint": moves.ASIDES[Checkpoint],
}
_NAMED = frozenset({"stage", "node"})


@dataclass(slots=True)
class _Folded:
    """One thing: its fields, and the entry that set each of them."""

    fields: dict[str, object] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    latest: int = 0


def said_by(trail: Trail) -> Said:
    """What a trail says, in the words of the journal."""
    return {moves.place(each): _fields(each) for each in trail.facts}


def check_fold(chronicle: Chronicle, said: Said) -> Iterator[Violation]:
    """I17: illegal moves in the journal, and where the record says something else."""
    folded: dict[moves.Place, _Folded] = {}
    for entry in chronicle.entries:
        yield from _take(chronicle.run, entry, folded)
    for place in [*folded, *(each for each in said if each not in folded)]:
        yield from _compare(chronicle.run, place, folded.get(place), said.get(place))
    yield from _compare_order(chronicle.run, folded, said)


def _place(entry: Entry) -> moves.Place:
    if entry.subject == "run":
        return ("run",)
    if entry.subject == "checkpoint":
        return (entry.subject, entry.stage, entry.node)
    if entry.subject == "answer":
        return (entry.subject, entry.stage, entry.node, str(entry.said.get("person")))
    where = (entry.stage, entry.node, entry.attempt)
    if entry.subject == "credential":
        return ("credential_lease", *where, str(entry.said.get("purpose")))
    return (entry.subject, *where)


def _take(run: str, entry: Entry, folded: dict[moves.Place, _Folded]) -> Iterator[Violation]:
    place = _place(entry)
    known = folded.get(place)
    if known is None:
        legal = entry.status in _BEGINNINGS[entry.subject]
        before = "not on record"
    else:
        before = str(known.fields["status"])
        legal = entry.status in _MOVES[entry.subject][before] or _is_remark(entry, before)
    if not legal:
        why = f"{_named(place)} is {before} and cannot become {entry.status}"
        yield Violation("I17", run, why, entry.n)
    known = folded.setdefault(place, _Folded())
    for name, value in {**entry.said, "status": entry.status}.items():
        known.fields[name] = value
        known.entries[name] = entry.n
    known.latest = entry.n


def _is_remark(entry: Entry, before: str) -> bool:
    """Whether it says something of a thing, and leaves it where it is."""
    known = _ASIDES.get(entry.subject)
    if known is None or entry.status != before:
        return False
    return entry.said.keys() - (_NAMED if entry.node else frozenset()) <= known


def _compare(
    run: str,
    place: moves.Place,
    folded: _Folded | None,
    said: Mapping[str, object] | None,
) -> Iterator[Violation]:
    if folded is None:
        yield Violation("I17", run, f"{_named(place)} is on record, but not in the journal")
        return
    if said is None:
        why = f"{_named(place)} is in the journal, but not on record"
        yield Violation("I17", run, why, folded.latest)
        return
    for name, value in said.items():
        if value != folded.fields.get(name):
            why = (
                f"{name} of {_named(place)} is {_shown(value)} on record, "
                f"but {_shown(folded.fields.get(name))} in the journal"
            )
            yield Violation("I17", run, why, folded.entries.get(name, folded.latest))


def _compare_order(
    run: str, folded: Mapping[moves.Place, _Folded], said: Said
) -> Iterator[Violation]:
    for subject in ("step", "compensation", "credential_lease", "checkpoint", "answer"):
        order = [folded[each].latest for each in said if each[0] == subject and each in folded]
        if order != sorted(order):
            yield Violation("I17", run, f"{subject}s are on record in another order")


def _fields(fact: Fact) -> Mapping[str, object]:
    return {
        name: _digested(name, getattr(fact, name))
        for name in moves.FIELDS[type(fact)]
        if name not in _NAMING
    }


def _digested(name: str, value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return canonical.digest(value) if name in _BULK and isinstance(value, str) else value


def _named(place: moves.Place) -> str:
    match place:
        case ("checkpoint", stage, node):
            return f"the question about {node} (stage {stage})"
        case ("answer", stage, node, person):
            return f"the answer of {person} about {node} (stage {stage})"
        case (subject, stage, node, attempt):
            return f"{subject} {node} (stage {stage}, attempt {attempt})"
        case (_, stage, node, attempt, purpose):
            return f"the credential to {purpose} {node} (stage {stage}, attempt {attempt})"
        case _:
            return "the run"


def _shown(value: object) -> str:
    return "absent" if value is None else repr(value)
