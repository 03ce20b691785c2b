"""What is left over, altered, too much or too early: I13, I15, I19 and I20."""

from collections.abc import Iterator

from stratum_graph.model import Plan
from stratum_orchestrator.audit.observed import Observed, Violation
from stratum_state.model import CompensationStatus, StepStatus, Trail

_NOBODY = "the daemon"


def check_processes(observed: Observed) -> Iterator[Violation]:
    """I13: of a step that is over, no process is alive; at rest there is none at all."""
    known = {trail.run.id: trail for trail in observed.trails}
    for each in observed.processes:
        what = f"a process of {each.node} is alive (process {each.pid})"
        if observed.settled:
            yield Violation("I13", each.run, f"{what}, though everything is at rest")
        elif each.run in known and _is_over(known[each.run], each.node):
            yield Violation("I13", each.run, f"{what}, though no attempt is under way")


def check_contents(observed: Observed) -> Iterator[Violation]:
    """I15: what is kept under a digest has that digest."""
    for digest, found in sorted(observed.contents.items()):
        if found != digest:
            said = f"is {found}" if found else "is not there"
            yield Violation("I15", _NOBODY, f"what is kept as {digest} {said}")


def check_peaks(observed: Observed) -> Iterator[Violation]:
    """I19: nothing grows beyond its bound."""
    for each in observed.peaks:
        if each.most > each.allowed:
            why = f"{each.what}: {each.most} at once, and {each.allowed} are allowed"
            yield Violation("I19", _NOBODY, why)


def check_times(trail: Trail, plan: Plan | None, lasted_ms: int | None) -> Iterator[Violation]:
    """I20: nothing takes too long in less time, whatever the clocks on the walls say."""
    if lasted_ms is None or plan is None:
        return
    limits = {
        each.definition.node.name: each.definition.node.timeout * 1000 for each in plan.nodes
    }
    for step in trail.steps:
        limit = limits.get(step.node)
        is_late = step.status is StepStatus.TIMED_OUT
        if is_late and limit is not None and lasted_ms < limit:
            why = (
                f"{step.node} had {limit:.0f} ms, and is timed out after {lasted_ms} ms of all"
            )
            yield Violation("I20", trail.run.id, why)


def _is_over(trail: Trail, node: str) -> bool:
    begun = {each.node for each in trail.steps if each.status is StepStatus.STARTED}
    begun |= {
        each.node for each in trail.compensations if each.status is CompensationStatus.STARTED
    }
    return node not in begun
