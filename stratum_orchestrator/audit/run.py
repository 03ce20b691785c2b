"""The audit of one run: its journal, what is on record of it, and the plan that it ran."""

from collections.abc import Iterator, Sequence, Set as AbstractSet

from stratum_graph.model import Plan
from stratum_orchestrator.audit import approval, fold, lending, order, outcomes, warrant
from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.fold import Said
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.audit.seals import check_seals
from stratum_state import moves
from stratum_state.errors import BrokenChain
from stratum_state.evidence import Evidence
from stratum_state.model import JournalLine


def audit_run(
    run: str, lines: Sequence[JournalLine], said: Said, plan: Plan | None = None
) -> tuple[Violation, ...]:
    """Everything that is wrong with one run; an altered journal is judged no further.

    `said` is what is on record, as `fold.said_by` tells it of a trail. Without the plan,
    what only a plan can tell is not judged.
    """
    try:
        chronicle = Chronicle.of(run, lines)
    except BrokenChain as broken:
        return (Violation("I17", run, broken.why, broken.n),)
    return tuple(check_chronicle(chronicle, said, plan))


def audit_evidence(
    run: str, evidence: Evidence, trusted: AbstractSet[str], plan: Plan | None = None
) -> tuple[Violation, ...]:
    """Everything that is wrong with all that is on record of one run.

    `trusted` are the public keys of the daemons whose signatures count.
    """
    lines = evidence.journal
    found = [Violation("I17", run, why) for why in evidence.faults]
    try:
        chronicle = Chronicle.of(run, lines)
    except BrokenChain as broken:
        return (*found, Violation("I17", run, broken.why, broken.n))
    if (trail := evidence.trail) is None:
        return (*found, Violation("I17", run, "the run itself is not on record", 1))
    found += _check_marks(run, evidence)
    found += check_chronicle(chronicle, fold.said_by(trail), plan)
    found += check_seals(chronicle, lines, evidence.heads, trusted)
    return tuple(found)


def _check_marks(run: str, evidence: Evidence) -> Iterator[Violation]:
    """I17: each row is the run's own, and names the entry that it moved with last."""
    for fact, head in evidence.rows:
        name = moves.name(fact)
        if moves.chain(fact) != run:
            yield Violation("I17", run, f"{name} is on record as a part of it", head.n)
        elif not 1 <= head.n <= len(evidence.journal):
            why = f"{name} names entry {head.n}, which there is not: this is the last"
            yield Violation("I17", run, why, len(evidence.journal))
        elif evidence.journal[head.n - 1].hash != head.hash:
            yield Violation("I17", run, f"{name} names another entry than this one", head.n)


def check_chronicle(chronicle: Chronicle, said: Said, plan: Plan | None) -> Iterator[Violation]:
    """All that the journal of one run can show."""
    yield from fold.check_fold(chronicle, said)
    yield from warrant.check_warrant(chronicle)
    yield from warrant.check_instructions(chronicle)
    yield from warrant.check_plan(chronicle, plan)
    yield from order.check_forward(chronicle, plan)
    yield from order.check_fail_fast(chronicle, plan)
    yield from order.check_backward(chronicle)
    yield from lending.check_leases(chronicle)
    yield from approval.check_questions(chronicle, plan)
    yield from outcomes.check_success(chronicle)
    yield from outcomes.check_loose_ends(chronicle)
    yield from outcomes.check_ends(chronicle, plan)
    yield from outcomes.check_undone(chronicle, plan)
