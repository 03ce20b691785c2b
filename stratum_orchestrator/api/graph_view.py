"""The graph of a generation as JSON: its nodes and which of them feed which."""

from collections.abc import Iterator

from stratum_graph.generation import Generation
from stratum_graph.model import ActionNode, Definition

View = dict[str, object]


def graph(generation: Generation) -> View:
    """Nodes by name, and an edge for each capability from its provider to each consumer."""
    return {
        "generation": generation.digest,
        "pipelines": list(generation.pipelines),
        "nodes": [_node(each) for each in generation.definitions],
        "edges": list(_edges(generation)),
    }


def pipelines(generation: Generation) -> list[View]:
    """Each pipeline with the subjects that trigger it, and where."""
    triggers = [each.node for each in generation.definitions if each.node.trigger]
    told: list[View] = []
    for name in generation.pipelines:
        its = [each for each in triggers if each.trigger and each.trigger.pipeline == name]
        subjects = {x for each in its if each.trigger for x in each.trigger.subjects}
        told.append(
            {
                "pipeline": name,
                "subjects": sorted(subjects),
                "triggered": [each.name for each in its],
                "nodes": len(generation.whole(name).nodes),
            }
        )
    return told


def _edges(generation: Generation) -> Iterator[View]:
    nodes = [each.node for each in generation.definitions]
    for capability, index in sorted(generation.providers.items()):
        for consumer in nodes:
            if capability in consumer.consumes:
                yield {
                    "from": nodes[index].name,
                    "to": consumer.name,
                    "capability": capability,
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
