"""One pipeline's stages: which nodes an event brings in, in which order, and why no others."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec
import networkx as nx

from stratum_graph.model import Definition, Plan, PlannedNode, Pruned


def digest_of(value: object) -> str:
    """`sha256:…` over the value's JSON with sorted keys."""
    return "sha256:" + sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def make_plan(
    pipeline: str,
    matched: frozenset[int],
    definitions: Sequence[Definition],
    providers: Mapping[str, int],
) -> Plan:
    """Order what the matched nodes need and what follows from them into stages.

    `matched` and the values of `providers` are indexes into `definitions`; the providers
    must be complete and free of cycles, which the compiler has checked. Stages are the
    topological generations of the plan (Kahn's algorithm, by generation).
    """
    chosen, pruned = _close(matched, definitions, providers)
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(chosen)
    for consumer in chosen:
        for capability in definitions[consumer].node.consumes:
            order.add_edge(providers[capability], consumer)
    generations = [
        sorted(stage, key=lambda index: definitions[index].node.name)
        for stage in nx.topological_generations(order)
    ]
    place = {index: at for at, index in enumerate(i for stage in generations for i in stage)}
    nodes = tuple(
        PlannedNode(definition=definitions[index], stage=number, triggered=index in matched)
        for number, stage in enumerate(generations)
        for index in stage
    )
    plan = Plan(
        pipeline=pipeline,
        nodes=nodes,
        stages=tuple(tuple(place[index] for index in stage) for stage in generations),
        providers={
            capability: place[index]
            for capability, index in sorted(providers.items())
            if index in place
        },
        pruned=pruned,
    )
    return msgspec.structs.replace(plan, digest=digest_of(plan))


def _close(
    matched: frozenset[int], definitions: Sequence[Definition], providers: Mapping[str, int]
) -> tuple[set[int], tuple[Pruned, ...]]:
    chosen: set[int] = set()
    fresh = set(matched)
    while fresh:
        chosen |= fresh
        needed = {
            providers[capability]
            for index in fresh
            for capability in definitions[index].node.consumes
        }
        fresh = (needed | set(_followers(chosen | needed, definitions, providers))) - chosen
    return _prune(chosen, matched, definitions, providers)


def _followers(
    chosen: set[int], definitions: Sequence[Definition], providers: Mapping[str, int]
) -> Iterable[int]:
    """Nodes without a trigger, everything they consume being produced by the chosen ones."""
    for index, definition in enumerate(definitions):
        node = definition.node
        follows = node.trigger is None and bool(node.consumes)
        if follows and all(providers[capability] in chosen for capability in node.consumes):
            yield index


def _prune(
    chosen: set[int],
    matched: frozenset[int],
    definitions: Sequence[Definition],
    providers: Mapping[str, int],
) -> tuple[set[int], tuple[Pruned, ...]]:
    """Drop pure nodes that nothing in the plan needs, until none is left to drop."""
    kept, pruned = set(chosen), []
    while True:
        needed = {providers[c] for index in kept for c in definitions[index].node.consumes}
        idle = {
            index
            for index in kept - needed - matched
            if definitions[index].node.effect == "pure"
        }
        if not idle:
            break
        kept -= idle
        pruned += [
            Pruned(
                node=definitions[index].node.name,
                why="it is pure and nothing in this plan consumes what it produces",
            )
            for index in idle
        ]
    return kept, tuple(sorted(pruned, key=lambda each: each.node))
