"""The graph of a generation as JSON: its nodes and which of them feed which."""

from collections.abc import Iterator, Sequence

from stratum_graph.model import ActionNode, Definition

View = dict[str, object]


def graph(digest: str, definitions: Sequence[Definition]) -> View:
    """Nodes by name, and an edge for each capability from a provider to a consumer."""
    ordered = sorted(definitions, key=lambda each: each.node.name)
    return {
        "generation": digest,
        "nodes": [_node(each) for each in ordered],
        "edges": list(_edges([each.node for each in ordered])),
    }


def _node(definition: Definition) -> View:
    node = definition.node
    return {
        "name": node.name,
        "version": node.version,
        "description": node.description,
        "file": definition.file,
        "tree": definition.tree,
        "enabled": node.enabled,
        "effect": node.effect,
        "trigger": _trigger(node),
        "consumes": list(node.consumes),
        "produces": list(node.produces),
        "compensated": node.compensate is not None,
    }


def _trigger(node: ActionNode) -> View | None:
    if node.trigger is None:
        return None
    return {"pipeline": node.trigger.pipeline, "subjects": list(node.trigger.subjects)}


def _edges(nodes: Sequence[ActionNode]) -> Iterator[View]:
    for capability, providers in sorted(_providers(nodes).items()):
        consumers = [each.name for each in nodes if capability in each.consumes]
        for source in providers:
            for target in consumers:
                yield {"from": source, "to": target, "capability": capability}


def _providers(nodes: Sequence[ActionNode]) -> dict[str, list[str]]:
    found: dict[str, list[ActionNode]] = {}
    for node in nodes:
        for capability in node.produces:
            found.setdefault(capability, []).append(node)
    return {
        capability: [
            each.name
            for each in providers
            if len(providers) == 1
            or capability in each.prefer
            or not any(capability in other.prefer for other in providers)
        ]
        for capability, providers in found.items()
    }
