"""What is wrong with a set of nodes taken together: every finding, each with its place."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

import networkx as nx

from stratum_graph import lifecycle
from stratum_graph.compatibility import misfits
from stratum_graph.diagnostics import Diagnostic, Severity
from stratum_graph.model import Definition, JsonSchema, Plan
from stratum_graph.plan import Wiring, make_plan
from stratum_graph.schemas import SchemaInvalid, compile_schema
from stratum_graph.subjects import SubjectTrie, covers

Providers = Mapping[str, int]


def inspect(
    definitions: Sequence[Definition], captured: Sequence[str]
) -> tuple[Providers, tuple[Diagnostic, ...]]:
    """The provider of each capability (indexes into `definitions`), and everything found."""
    found = [*_duplicates(definitions)]
    providers, ambiguous = _providers(definitions)
    found += ambiguous
    found += _missing(definitions, providers)
    found += _outside(definitions, captured)
    found += _schemas(definitions)
    found += _contracts(definitions, providers)
    found += _cycles(definitions, providers)
    asking: frozenset[str] = frozenset()
    if not any(each.severity == "error" for each in found):
        found += _idle(definitions, providers)
        found += _not_undone(definitions)
    found += _chains(definitions, asking)
    return providers, tuple(
        sorted(found, key=lambda each: (each.file, each.line, each.message))
    )


def _at(
    definition: Definition,
    message: str,
    hint: str = "",
    severity: Severity = "error",
    other: Definition | None = None,
) -> Diagnostic:
    """A finding about a definition; the message names the place of the other one."""
    return Diagnostic(
        file=definition.file,
        line=definition.line,
        message=message,
        hint=hint,
        severity=severity,
        there=other.file if other else "",
    )


def _duplicates(definitions: Sequence[Definition]) -> Iterator[Diagnostic]:
    first: dict[str, Definition] = {}
    for each in definitions:
        other = first.setdefault(each.node.name, each)
        if other is not each:
            yield _at(
                each,
                f"node `{each.node.name}` is also declared in {other.file}:{other.line}",
                "rename one of them, or set `enabled = false`",
                other=other,
            )


def _providers(definitions: Sequence[Definition]) -> tuple[Providers, list[Diagnostic]]:
    offers: dict[str, list[int]] = {}
    for index, each in enumerate(definitions):
        for capability in each.node.produces:
            offers.setdefault(capability, []).append(index)
    chosen, found = {}, []
    for capability, indexes in offers.items():
        preferred = [i for i in indexes if capability in definitions[i].node.prefer]
        names = " and ".join(f"`{definitions[i].node.name}`" for i in indexes)
        if len(indexes) > 1 and len(preferred) != 1:
            found.append(
                _at(
                    definitions[indexes[-1]],
                    f"capability `{capability}` is produced by {names}",
                    f'write `prefer = ["{capability}"]` in exactly one of them',
                )
            )
        chosen[capability] = (preferred or indexes)[0]
    return chosen, found


def _missing(definitions: Sequence[Definition], providers: Providers) -> Iterator[Diagnostic]:
    for each in definitions:
        for capability in each.node.consumes:
            if capability not in providers:
                near = get_close_matches(capability, list(providers), n=1)
                hint = (
                    f"did you mean `{near[0]}`?" if near else "declare a node that produces it"
                )
                yield _at(
                    each,
                    f"`{each.node.name}` consumes `{capability}`, which no node produces",
                    hint,
                )


def _outside(
    definitions: Sequence[Definition], captured: Sequence[str]
) -> Iterator[Diagnostic]:
    for each in definitions:
        for subject in each.node.trigger.subjects if each.node.trigger else ():
            if not any(covers(wide, subject) for wide in captured):
                yield _at(
                    each,
                    f"trigger `{subject}` of `{each.node.name}` is outside the captured "
                    f"subjects {', '.join(captured)}",
                    "no such event would ever arrive: change it, or `nats.subjects`",
                )


def _schemas(definitions: Sequence[Definition]) -> Iterator[Diagnostic]:
    for each in definitions:
        for field in ("input_schemas", "output_schemas"):
            for name, schema in getattr(each.node, field).items():
                try:
                    compile_schema(schema)
                except SchemaInvalid as bad:
                    yield _at(each, f"`{field}.{name}` of `{each.node.name}`: {bad}")


def _usable(schema: JsonSchema) -> bool:
    try:
        compile_schema(schema)
    except SchemaInvalid:
        return False
    return True


def _contracts(definitions: Sequence[Definition], providers: Providers) -> Iterator[Diagnostic]:
    for each in definitions:
        for capability in each.node.consumes:
            wanted = each.node.input_schemas.get(capability)
            if wanted is None or capability not in providers:
                continue
            producer = definitions[providers[capability]]
            given = producer.node.output_schemas.get(capability, {})
            if not _usable(given) or not _usable(wanted):
                continue  # which is said by itself
            for problem in misfits(given, wanted, path=capability):
                yield _at(
                    each,
                    f"`{each.node.name}` cannot take `{capability}` as "
                    f"`{producer.node.name}` ({producer.file}:{producer.line}) gives it: "
                    f"{problem}",
                    other=producer,
                )


def _cycles(definitions: Sequence[Definition], providers: Providers) -> Iterator[Diagnostic]:
    order: nx.DiGraph[int] = nx.DiGraph()
    for index, each in enumerate(definitions):
        for capability in each.node.consumes:
            if capability in providers:
                order.add_edge(providers[capability], index)
    for group in nx.strongly_connected_components(order):
        start = min(group, key=lambda index: definitions[index].node.name)
        if len(group) > 1 or order.has_edge(start, start):
            inner = order.subgraph(group)
            path = [source for source, _ in nx.find_cycle(inner, start)]
            names = [definitions[index].node.name for index in (*path, path[0])]
            yield _at(
                definitions[start],
                f"cycle: {' -> '.join(names)}",
                "one of them has to stop consuming what follows from it",
            )


def _idle(definitions: Sequence[Definition], providers: Providers) -> Iterator[Diagnostic]:
    """Nodes that no event on any trigger would ever run."""
    live: set[str] = set()
    why: dict[str, str] = {}
    for plan in _whole_plans(definitions, providers):
        live |= {planned.definition.node.name for planned in plan.nodes}
        why |= {pruned.node: pruned.why for pruned in plan.pruned}
    for each in definitions:
        if each.node.name not in live:
            reason = why.get(each.node.name, "no trigger leads to it")
            yield _at(
                each,
                f"`{each.node.name}` never runs: {reason}",
                "let a node consume what it produces, or give it a trigger",
                "warning",
            )


def _chains(definitions: Sequence[Definition], asking: Collection[str]) -> Iterator[Diagnostic]:
    """Pipelines that start themselves, by way of the events with which runs end, or ask."""
    follows: nx.DiGraph[str] = nx.DiGraph()
    starts = [
        (trigger, each) for each in definitions if (trigger := each.node.trigger) is not None
    ]
    # one for all of them: the cost must not grow with the square of the pipelines
    trie = SubjectTrie(
        (subject, at) for at, (trigger, _) in enumerate(starts) for subject in trigger.subjects
    )
    for before in sorted({trigger.pipeline for trigger, _ in starts}):
        words = (*lifecycle.ENDS, *((lifecycle.ASKED,) if before in asking else ()))
        ends = [trie.match(lifecycle.subject(each, before)) for each in words]
        for at in sorted(frozenset[int]().union(*ends)):
            trigger, each = starts[at]
            follows.add_edge(before, trigger.pipeline, by=each)
    for group in nx.strongly_connected_components(follows):
        start = min(group)
        inner = follows.subgraph(group)
        if len(group) > 1 or inner.has_edge(start, start):
            path = [source for source, _ in nx.find_cycle(inner, start)]
            yield _at(
                follows.edges[path[-1], path[0]]["by"],
                f"pipelines start each other by their ends: {' -> '.join((*path, path[0]))}",
                "name the pipelines that it follows, as in "
                f"`{lifecycle.subject('completed', 'NAME')}`, and break the circle",
                "warning",
            )


def _asking(definitions: Sequence[Definition], providers: Providers) -> frozenset[str]:
    """The pipelines that may ask people something."""
    if all(each.node.question is None for each in definitions):
        return frozenset()
    return frozenset(
        plan.pipeline
        for plan in _whole_plans(definitions, providers)
        if any(planned.definition.node.question is not None for planned in plan.nodes)
    )


def _whole_plans(definitions: Sequence[Definition], providers: Providers) -> Iterator[Plan]:
    """The plan of each pipeline when all of its triggers match."""
    triggered: dict[str, set[int]] = {}
    for index, each in enumerate(definitions):
        if each.node.trigger:
            triggered.setdefault(each.node.trigger.pipeline, set()).add(index)
    wiring = Wiring(definitions, providers)
    for pipeline, matched in triggered.items():
        yield make_plan(pipeline, frozenset(matched), wiring)


def _not_undone(definitions: Sequence[Definition]) -> Iterator[Diagnostic]:
    for each in definitions:
        if each.node.effect == "external" and each.node.compensate is None:
            yield _at(
                each,
                f"nothing undoes `{each.node.name}`: a run that fails after it ends `partial`",
                "declare `compensate`, or `effect = 'pure` when it changes nothing outside",
                "warning",
            )
