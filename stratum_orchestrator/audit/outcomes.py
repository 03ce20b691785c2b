"""How steps, compensations and runs ended: I3, I7, I8 and I10."""

from collections.abc import Iterable, Iterator, Mapping

from stratum_graph.model import ActionNode, Plan
from stratum_orchestrator.audit.chronicle import Chronicle, Entry
from stratum_orchestrator.audit.observed import Violation
from stratum_state.model import RunStatus, Trail

_INTERRUPTED = frozenset({"cancelled", "lost", "timed-out", "started"})


def check_success(chronicle: Chronicle) -> Iterator[Violation]:
    """I3: a node succeeds at most once, and is not attempted again."""
    done: dict[str, Entry] = {}
    for entry in chronicle.steps():
        if entry.node in done and entry.attempt != done[entry.node].attempt:
            why = (
                f"{entry.node} became {entry.status} in attempt {entry.attempt}, "
                f"though attempt {done[entry.node].attempt} succeeded"
            )
            yield Violation("I3", chronicle.run, why, entry.n)
        elif entry.status == "succeeded":
            done[entry.node] = entry


def check_rest(trail: Trail) -> Iterator[Violation]:
    """I7: at rest every run is over, or waits for people; its end is published if it is due."""
    waits = trail.run.status is RunStatus.SUSPENDED and trail.open_checkpoints
    if not trail.run.is_over and not waits:
        yield Violation("I7", trail.run.id, f"it is {trail.run.status} and nobody carries it")
    if trail.run.is_due:
        yield Violation("I7", trail.run.id, "its end is to be published, and is not")


def check_loose_ends(chronicle: Chronicle) -> Iterator[Violation]:
    """I7: of a run that is over, every step and compensation is over."""
    over = chronicle.end()
    if over is None:
        return
    latest = {
        (each.subject, each.node, each.attempt): each
        for each in chronicle.entries
        if each.subject != "run"
    }
    for entry in latest.values():
        if entry.status == "started":
            why = (
                f"it is {over.status}, but {entry.subject} {entry.node} "
                f"(attempt {entry.attempt}) never ended"
            )
            yield Violation("I7", chronicle.run, why, entry.n)


def check_ends(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I10: completed, with everything done and nothing undone, or compensated; never both."""
    completed = chronicle.first("run.completed")
    if completed is None:
        return
    compensated = chronicle.first("run.compensated")
    if compensated is not None:
        yield Violation("I10", chronicle.run, "it completed and was compensated", completed.n)
    for entry in chronicle.compensations():
        why = f"it completed, but {entry.node} was undone"
        yield Violation("I10", chronicle.run, why, entry.n)
        break
    good = {each.node for each in chronicle.of_kind("step.succeeded", "step.skipped")}
    for name in _nodes(plan).keys() - good:
        why = f"it completed, though {name} neither succeeded nor was skipped"
        yield Violation("I10", chronicle.run, why, completed.n)


def check_undone(chronicle: Chronicle, plan: Plan | None) -> Iterator[Violation]:
    """I8: what happened in a compensated run has one recorded undoing, and the run says how."""
    over = chronicle.end()
    if over is None or over.what != "run.compensated":
        return
    ends = {
        name: list(entries) for name, entries in _by_node(chronicle.compensations()).items()
    }
    if plan is not None:
        wanted = _wanted(chronicle, plan)
        for name in sorted(wanted - ends.keys()):
            yield Violation("I8", chronicle.run, f"{name} was never undone", over.n)
        for name in sorted(ends.keys() - wanted):
            why = f"{name} was undone, though nothing of it was to be"
            yield Violation("I8", chronicle.run, why, ends[name][0].n)
    for entries in ends.values():
        yield from _check_once(chronicle.run, entries)
    # what was waived was not undone, and what was waived later was open when the run ended
    open_then = (_until(entries, over) for entries in ends.values())
    truth = "clean" if all(each == "done" for each in open_then) else "partial"
    if over.said.get("compensation") != truth:
        why = f"it says {over.said.get('compensation')}, but its compensation was {truth}"
        yield Violation("I8", chronicle.run, why, over.n)
    said = any(
        each.said.get("waived") for each in chronicle.of_kind(over.what) if each.n >= over.n
    )
    if said and any(entries[-1].status == "failed" for entries in ends.values()):
        yield Violation(
            "I8", chronicle.run, "it says that all is waived, but it is not", over.n
        )


def _until(entries: list[Entry], over: Entry) -> str:
    """The status of the last attempt when the run ended."""
    return next((x.status for x in reversed(entries) if x.n < over.n), "never begun")


def _check_once(run: str, entries: list[Entry]) -> Iterator[Violation]:
    done = next((each for each in entries if each.status in ("done", "waived")), None)
    if done is not None and entries[-1] is not done:
        why = f"{done.node} was undone again after it was {done.status}"
        yield Violation("I8", run, why, entries[-1].n)


def _wanted(chronicle: Chronicle, plan: Plan) -> set[str]:
    nodes = _nodes(plan)
    return {
        name
        for name, entries in _by_node(chronicle.steps()).items()
        if name in nodes and _leaves_something(nodes[name], _outcome(entries))
    }


def _leaves_something(node: ActionNode, outcome: str) -> bool:
    if node.compensate is not None:
        return outcome in node.compensate.on
    return node.effect != "pure" and outcome in ("succeeded", "interrupted")


def _outcome(entries: Iterable[Entry]) -> str:
    latest = {each.attempt: each.status for each in entries}
    statuses = set(latest.values())
    if "succeeded" in statuses:
        return "succeeded"
    if statuses & _INTERRUPTED:
        return "interrupted"
    return "failed" if "failed" in statuses else ""


def _by_node(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.node, []).append(entry)
    return found


def _nodes(plan: Plan | None) -> Mapping[str, ActionNode]:
    planned = plan.nodes if plan else ()
    return {each.definition.node.name: each.definition.node for each in planned}
