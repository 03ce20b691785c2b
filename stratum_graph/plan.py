"""One pipeline's stages: which nodes an event brings in, in which order, and why no others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec
import networkx as nx

from stratum_graph.model import Definition, Plan, PlannedNode, Pruned


def digest_of(value: object) -> str:
    """`sha256:…` over the value's JSON with sorted keys."""
    return "sha256:" + sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


class Wiring:
    """All nodes by what they consume and produce; the same for every plan of a generation.

    The values of `providers` are indexes into `definitions`; the providers must be complete
    and free of cycles, which the compiler has checked.
    """

    def __init__(self, definitions: Sequence[Definition], providers: Mapping[str, int]) -> None:
        self.definitions = definitions
        self.providers = providers
        self._needs = [
            frozenset(providers[capability] for capability in each.node.consumes)
            for each in definitions
        ]
        self._followers: dict[int, list[int]] = {}
        for index, each in enumerate(definitions):
            if each.node.trigger is None:
                for provider in self._needs[index]:
                    self._followers.setdefault(provider, []).append(index)

    def needs(self, indexes: Iterable[int]) -> set[int]:
        """The nodes that produce what these consume."""
        return {provider for index in indexes for provider in self._needs[index]}

    def followers(self, fresh: Iterable[int], chosen: set[int]) -> set[int]:
        """Nodes without a trigger that consume what comes from the chosen ones alone.

        Only those are looked at that consume something from `fresh`.
        """
        beside = {index for each in fresh for index in self._followers.get(each, ())}
        return {index for index in beside if self._needs[index] <= chosen}


def make_plan(pipeline: str, matched: frozenset[int], wiring: Wiring) -> Plan:
    """Order what the matched nodes need and what follows from them into stages.

    `matched` are indexes into the definitions. Stages are the topological generations of the
    plan (Kahn's algorithm, by generation).
    """
    definitions, providers = wiring.definitions, wiring.providers
    chosen, pruned = _close(matched, wiring)
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
        providers=dict(sorted(_provided(place, wiring))),
        pruned=pruned,
    )
    return msgspec.structs.replace(plan, digest=digest_of(plan))


def _provided(place: Mapping[int, int], wiring: Wiring) -> Iterator[tuple[str, int]]:
    for index, at in place.items():
        for capability in wiring.definitions[index].node.produces:
            if wiring.providers[capability] == index:
                yield capability, at


def _close(matched: frozenset[int], wiring: Wiring) -> tuple[set[int], tuple[Pruned, ...]]:
    chosen: set[int] = set()
    fresh = set(matched)
    while fresh:
        chosen |= fresh
        fresh = (wiring.needs(fresh) | wiring.followers(fresh, chosen)) - chosen
    return _prune(chosen, matched, wiring)


def _prune(
    chosen: set[int], matched: frozenset[int], wiring: Wiring
) -> tuple[set[int], tuple[Pruned, ...]]:
    """Drop pure nodes that nothing in the plan needs, until none is left to drop."""
    definitions = wiring.definitions
    kept, pruned = set(chosen), []
    while True:
        needed = wiring.needs(kept)
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
