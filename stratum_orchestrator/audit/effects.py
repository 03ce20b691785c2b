"""The outside world against the record: I6, I9, I10 and I11."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.observed import Announced, Effect, EffectKind, Violation
from stratum_state.model import Trail

_SUBJECTS: Mapping[EffectKind, str] = {"do": "step", "undo": "compensation"}
_TERMINAL = ("run.completed", "run.compensated", "run.abandoned")


def check_recorded(chronicle: Chronicle, effects: Sequence[Effect]) -> Iterator[Violation]:
    """I6: nothing happens that is not on record first, and nothing is on record unhappened."""
    run = chronicle.run
    happened = {(_SUBJECTS[each.kind], each.node, each.attempt) for each in effects}
    started = {
        (each.subject, each.node, each.attempt)
        for each in chronicle.of_kind("step.started", "compensation.started")
    }
    for subject, node, attempt in sorted(happened - started):
        why = f"attempt {attempt} at the {subject} of {node} ran without being on record"
        yield Violation("I6", run, why)
    for entry in chronicle.of_kind("step.succeeded", "compensation.done"):
        if (entry.subject, entry.node, entry.attempt) not in happened:
            why = f"{entry.node} is {entry.status} on record, but never ran"
            yield Violation("I6", run, why, entry.n)


def check_keys(run: str, effects: Sequence[Effect]) -> Iterator[Violation]:
    """I11: one idempotency key for each node and direction, and for nothing else."""
    owners: dict[str, tuple[str, EffectKind]] = {}
    keys: dict[tuple[str, EffectKind], str] = {}
    for each in effects:
        what = (each.node, each.kind)
        if keys.setdefault(what, each.key) != each.key:
            why = f"{each.node} ({each.kind}) got {each.key}, and {keys[what]} before"
            yield Violation("I11", run, why)
        elif owners.setdefault(each.key, what) != what:
            why = f"{each.node} ({each.kind}) got {each.key}, the key of {owners[each.key][0]}"
            yield Violation("I11", run, why)


def check_way_back(chronicle: Chronicle, effects: Sequence[Effect]) -> Iterator[Violation]:
    """I9, I10: what was undone does not happen again; of a completed run nothing is undone."""
    undone: set[str] = set()
    completed = chronicle.first("run.completed")
    for each in sorted(effects, key=lambda effect: effect.order):
        if each.kind == "undo":
            undone.add(each.node)
        elif each.node in undone:
            why = f"{each.node} happened again after it was undone"
            yield Violation("I9", chronicle.run, why)
    if completed is not None and undone:
        why = f"it completed, but {min(undone)} was undone"
        yield Violation("I10", chronicle.run, why, completed.n)


def check_keys_between(effects: Sequence[Effect]) -> Iterator[Violation]:
    """I11: no two runs share an idempotency key."""
    owners: dict[str, str] = {}
    for each in effects:
        if owners.setdefault(each.key, each.run) != each.run:
            why = f"{each.node} got {each.key}, which belongs to run {owners[each.key]}"
            yield Violation("I11", each.run, why)


def check_believed(trail: Trail, believed: Trail) -> Iterator[Violation]:
    """I6: what a cache holds at rest is what the store holds."""
    if _unordered(believed) != _unordered(trail):
        what = "a daemon believes something else than what is on record"
        yield Violation("I6", trail.run.id, what)


def _unordered(trail: Trail) -> frozenset[object]:
    """A trail without the order of moves, which may be acknowledged in another one."""
    return frozenset(trail.facts)


def check_announced(
    chronicle: Chronicle, announced: Sequence[Announced]
) -> Iterator[Violation]:
    """I6, I21: nobody hears what is not on record, and of the end once."""
    recorded = {each.what for each in chronicle.entries}
    for what in sorted({each.what for each in announced} - recorded):
        yield Violation("I6", chronicle.run, f"{what} was announced, but is not on record")
    ends = {each.identity for each in announced if each.what in _TERMINAL}
    if len(ends) > max(_endings(chronicle), 1):
        why = f"its end was announced in {len(ends)} different ways"
        yield Violation("I21", chronicle.run, why)


def _endings(chronicle: Chronicle) -> int:
    """How often the run came to an end: an operator may have had it undone again."""
    statuses = [each.status for each in chronicle.entries if each.subject == "run"]
    moves = (after for before, after in pairwise(statuses) if before != after)
    return sum(f"run.{each}" in _TERMINAL for each in moves)
