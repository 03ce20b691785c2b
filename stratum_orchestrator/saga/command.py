"""From a node and what its run knows to the one process that does or undoes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import normpath

from stratum_graph.condition import look_up
from stratum_graph.model import PlannedNode
from stratum_orchestrator.errors import BadReference
from stratum_orchestrator.ports import Command, Kind
from stratum_orchestrator.saga.context import RunContext
from stratum_state import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What a compensation is told beyond what its handler was told."""

    outputs: Mapping[str, object] | None
    outcome: str
    cause: str | None


def do(planned: PlannedNode, context: RunContext, attempt: int) -> Command:
    """The handler's process; BadReference when it wants a path that the event lacks."""
    node = planned.definition.node
    return _command(planned, context, attempt, Kind.DO, node.handler.script, node.timeout, {})


def undo(planned: PlannedNode, context: RunContext, attempt: int, what: Undoing) -> Command:
    """The compensation's process; the node has to have one. BadReference as for `do`."""
    compensate = planned.definition.node.compensate
    if compensate is None:
        message = f"{planned.definition.node.name} declares no compensation"
        raise ValueError(message)
    extra = {"outputs": what.outputs, "outcome": what.outcome, "cause": what.cause}
    return _command(
        planned, context, attempt, Kind.UNDO, compensate.script, compensate.timeout, extra
    )


def _command(  # noqa: PLR0913, PLR0917 - the two callers above are its whole use
    planned: PlannedNode,
    context: RunContext,
    attempt: int,
    kind: Kind,
    script: str,
    timeout_s: float,
    extra: Mapping[str, object],
) -> Command:
    node, run = planned.definition.node, context.run
    own = node.compensate.env if kind is Kind.UNDO and node.compensate else {}
    facts = context.facts(node)
    key = f"{run.id}/{node.name}" + ("/undo" if kind is Kind.UNDO else "")
    step = {"node": node.name, "attempt": attempt, "idempotency_key": key}
    if kind is Kind.UNDO:
        step["undoes"] = f"{run.id}/{node.name}"
    given = {
        "event": context.event(),
        "inputs": facts["inputs"],
        "run": {"id": run.id, "pipeline": run.pipeline, "plan": run.plan},
        "step": step,
    }
    return Command(
        run=run.id,
        node=node.name,
        attempt=attempt,
        kind=kind,
        pipeline=run.pipeline,
        tree=planned.definition.tree,
        script=script,
        stdin=canonical.text({**given, **extra}).encode(),
        env={**node.handler.env, **own},
        on_leak=node.handler.on_leak,
        containment=node.handler.containment,
        limits=node.handler.limits,
        std_lib=node.handler.std_lib,
        network=node.handler.network,
        path=node.handler.path,
        read=tuple(_paths(node.handler.read, facts)),
        write=tuple(_paths(node.handler.write, facts)),
        timeout_s=timeout_s,
        trace=run.trace or "",
    )


def _paths(references: Iterable[str], facts: Mapping[str, object]) -> Iterable[str]:
    for reference in references:
        if reference.startswith("/"):
            yield reference
            continue
        found = look_up(facts, reference, absent=None)
        if not isinstance(found, str) or not found.startswith("/") or "\0" in found:
            raise BadReference(reference, f"is {found!r}, but has to be an absolute path")
        yield normpath(found)
