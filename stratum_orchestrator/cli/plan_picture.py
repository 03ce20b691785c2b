"""A plan as people and programs see it: stages, what flows, and what is left out."""

from collections.abc import Iterator
from datetime import timedelta

from stratum_graph.model import Plan, PlannedNode
from stratum_orchestrator.api.plan_view import asks
from stratum_orchestrator.api.views import stages
from stratum_orchestrator.cli.ink import Line, Span
from stratum_orchestrator.cli.moment import spent
from stratum_orchestrator.cli.rail import rail


def picture(plan: Plan, *, unicode: bool = True) -> Iterator[Line]:
    """The plan in lines: a head, one line for each node, and why others do not run."""
    yield [
        Span(plan.pipeline, "strong"),
        Span(f"  {_count(len(plan.stages), 'stage')}, {_count(len(plan.nodes), 'node')}"),
        Span(f"  {plan.digest}", "dim"),
    ]
    names = max((len(each.definition.node.name) for each in plan.nodes), default=0)
    needs = max((len(_needs(each)) for each in plan.nodes), default=0)
    for number, stage in enumerate(plan.stages):
        for at, index in enumerate(stage):
            planned = plan.nodes[index]
            node = planned.definition.node
            yield [
                Span(f"  {rail(number, at, len(stage), unicode=unicode)} ", "dim"),
                Span(f"{node.name:<{names}}  ", "busy" if planned.triggered else ""),
                Span(f"{_needs(planned):<{needs}}  ", "dim"),
                Span(_gives(planned, unicode=unicode)),
                Span("  undo" if node.compensate else f"  {node.effect}", "undo"),
                Span(_asks(planned), "warn"),
            ]
    for pruned in plan.pruned:
        yield [Span("     . ", "dim"), Span(f"{pruned.node} does not run: {pruned.why}", "dim")]


def view(plan: Plan) -> dict[str, object]:
    """The plan as JSON."""
    return {
        "pipeline": plan.pipeline,
        "digest": plan.digest,
        "stages": stages(plan),
        "nodes": [
            {
                "name": each.definition.node.name,
                "version": each.definition.node.version,
                "stage": each.stage,
                "triggered": each.triggered,
                "consumes": list(each.definition.node.consumes),
                "produces": list(each.definition.node.produces),
                "effect": each.definition.node.effect,
                "compensated": each.definition.node.compensate is not None,
                "asks": asks(each.definition.node),
                "file": each.definition.file,
                "tree": each.definition.tree,
            }
            for each in plan.nodes
        ],
        "pruned": [{"node": each.node, "why": each.why} for each in plan.pruned],
    }


def _needs(planned: PlannedNode) -> str:
    return " + ".join(
        (*(("event",) if planned.triggered else ()), *planned.definition.node.consumes)
    )


def _gives(planned: PlannedNode, *, unicode: bool) -> str:
    arrow = "→" if unicode else "->"
    return f"{arrow} {' + '.join(planned.definition.node.produces) or 'nothing'}"


def _asks(planned: PlannedNode) -> str:
    ask = planned.definition.node.question
    if ask is None:
        return ""
    number = f"{ask.count} of " if ask.count > 1 else ""
    return f"  asks {number}{' or '.join(ask.groups)}, {spent(timedelta(seconds=ask.timeout))}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
