"""Definitions with their folders: scripts that lie in none are put there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stratum_graph.definitions import descriptor
from stratum_graph.definitions.descriptor import Descriptor, Fetched, Surroundings
from stratum_graph.definitions.snapshot import Files
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Definition


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition, and its scripts that lie in no folder."""

    definition: Definition
    scripts: Mapping[str, Descriptor]


def furnished(
    draft: Draft, folder: Files, around: Surroundings
) -> tuple[Definition, Files, list[Diagnostic]]:
    """The definition with a folder that holds all its scripts, and what is wrong with them."""
    definition, problems = draft.definition, list[Diagnostic]()
    for part, wanted in draft.scripts.items():
        made = descriptor.settle(wanted, part, around)
        problems += made.problems
        folder = {**folder, made.name: made.content}
        named = msgspec.structs.replace(getattr(definition.node, part), script=made.name)
        node = msgspec.structs.replace(definition.node, **{part: named})
        definition = msgspec.structs.replace(definition, node=node)
    return definition, folder, problems


def copies(drafts: Mapping[str, Sequence[Draft]], fetched: Fetched) -> Files:
    """What was fetched, where it may lie instead."""
    return {
        descriptor.copy_of(wanted, name): content
        for name, each in drafts.items()
        for draft in each
        for wanted in draft.scripts.values()
        if isinstance(content := fetched.get(wanted), bytes)
    }


def missing(drafts: Mapping[str, Sequence[Draft]], files: Files) -> frozenset[Descriptor]:
    """The scripts that have to be fetched."""
    return frozenset(
        wanted
        for name, each in drafts.items()
        for draft in each
        for wanted in draft.scripts.values()
        if descriptor.is_missing(wanted, name, files)
    )


def kept(definitions: Iterable[Definition]) -> frozenset[str]:
    """Digests under which a content store may keep scripts of theirs one by one."""
    nodes = [each.node for each in definitions]
    named = [node.handler.script for node in nodes]
    named += [node.compensate.script for node in nodes if node.compensate]
    return frozenset(filter(None, map(descriptor.kept, named)))
