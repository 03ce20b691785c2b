"""The audit of one run: its journal, what is on record of it, and the plan that it ran."""

from collections.abc import Iterator, Sequence

from stratum_graph.model import Plan
from stratum_orchestrator.audit import fold, lending, order, outcomes, warrant
from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.fold import Said
from stratum_orchestrator.audit.observed import Violation
from stratum_state.errors import BrokenChain
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
    yield from outcomes.check_success(chronicle)
    yield from outcomes.check_loose_ends(chronicle)
    yield from outcomes.check_ends(chronicle, plan)
    yield from outcomes.check_undone(chronicle, plan)
