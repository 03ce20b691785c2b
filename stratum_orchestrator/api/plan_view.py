"""A plan as JSON: what a run is made of, and what fed what."""

from stratum_graph.model import ActionNode, Plan, PlannedNode
from stratum_orchestrator.api.views import View, stages


def plan(plan: Plan) -> View:
    """The plan's stages and nodes, and an edge for each capability that one gives another."""
    names = [planned.definition.node.name for planned in plan.nodes]
    return {
        "plan": plan.digest,
        "pipeline": plan.pipeline,
        "stages": stages(plan),
        "nodes": [node(each) for each in plan.nodes],
        "edges": [
            {
                "from": names[plan.providers[capability]],
                "to": planned.definition.node.name,
                "capability": capability,
            }
            for planned in plan.nodes
            for capability in planned.definition.node.consumes
            if capability in plan.providers
        ],
        "pruned": [{"node": each.node, "why": each.why} for each in plan.pruned],
    }


def node(planned: PlannedNode) -> View:
    """A node in its place."""
    definition, its = planned.definition, planned.definition.node
    return {
        "name": its.name,
        "stage": planned.stage,
        "triggered": planned.triggered,
        "version": its.version,
        "description": its.description,
        "file": definition.file,
        "tree": definition.tree,
        "effect": its.effect,
        "consumes": list(its.consumes),
        "produces": list(its.produces),
        "compensated": its.compensate is not None,
        "timeout_s": its.timeout,
        "attempts": its.retry.attempts,
        "asks": asks(its),
    }


def asks(node: ActionNode) -> View | None:
    """Who is asked before the node begins, if anybody is."""
    ask = node.question
    if ask is None:
        return None
    return {
        "groups": list(ask.groups),
        "count": ask.count,
        "timeout_s": ask.timeout,
        "on_timeout": ask.on_timeout,
    }
