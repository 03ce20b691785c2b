"""`stratum graph`."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio
import click

from stratum_graph.model import ActionNode
from stratum_orchestrator.cli.options import Face, faced

if TYPE_CHECKING:
    from stratum_graph.generation import Generation


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "dot", "json"]),
    default="mermaid",
    show_default=True,
    help="For Markdown, for Graphviz, or for programs.",
)
@faced
def graph(face: Face, form: str) -> None:
    """Draw the graph: events, nodes, and the capabilities that flow between them."""
    from stratum_orchestrator.api import graph_view

    generation = anyio.run(_generation, face)
    if form == "json" or not face.screen.for_people:
        face.screen.value(graph_view.graph(generation))
        return
    for line in mermaid(generation) if form == "mermaid" else dot(generation):
        click.echo(line)


def mermaid(generation: "Generation") -> Iterator[str]:
    """The graph as a Mermaid flow chart."""
    place = {each.node.name: f"n{at}" for at, each in enumerate(generation.definitions)}
    subjects = {subject: f"e{at}" for at, subject in enumerate(generation.subjects)}
    yield "flowchart LR"
    for subject, name in subjects.items():
        yield f"  {name}([{_quoted(subject)}])"
    for each in generation.definitions:
        yield f"  {place[each.node.name]}[{_quoted(each.node.name)}]"
    for node, subject in _triggers(generation):
        yield f"  {subjects[subject]} --> {place[node.name]}"
    for source, target, capability in _flows(generation):
        yield f"  {place[source]} -->|{_quoted(capability)}| {place[target]}"


def dot(generation: "Generation") -> Iterator[str]:
    """The graph in Graphviz's language."""
    yield "digraph stratum {"
    yield "  rankdir=LR; node [shape=box, style=rounded];"
    for subject in generation.subjects:
        yield f"  {_event(subject)} [label={_quoted(subject)}, shape=ellipse];"
    for each in generation.definitions:
        yield f"  {_quoted(each.node.name)};"
    for node, subject in _triggers(generation):
        yield f"  {_event(subject)} -> {_quoted(node.name)};"
    for source, target, capability in _flows(generation):
        yield f"  {_quoted(source)} -> {_quoted(target)} [label={_quoted(capability)}];"
    yield "}"


def _triggers(generation: "Generation") -> Iterator[tuple[ActionNode, str]]:
    for each in generation.definitions:
        for subject in each.node.trigger.subjects if each.node.trigger else ():
            yield each.node, subject


def _flows(generation: "Generation") -> Iterator[tuple[str, str, str]]:
    nodes = [each.node for each in generation.definitions]
    for capability, provider in sorted(generation.providers.items()):
        for node in nodes:
            if capability in node.consumes:
                yield nodes[provider].name, node.name, capability


def _event(subject: str) -> str:
    return _quoted(f"event {subject}")


def _quoted(name: str) -> str:
    # names and subjects hold neither quotes nor backslashes; this keeps it so for any other
    return json.dumps(name.replace('"', "'"))


async def _generation(face: Face) -> "Generation":
    from stratum_orchestrator.cli.workspace import graph_of, workspace

    async with workspace(face) as place:
        return await graph_of(face, place)
