"""Reference graphs: a diamond, an order that fails, a wide fan-out, one that asks people."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import msgspec

from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Ask, Compensate, Definition, Plan, Retry
from support.graph import PURE, node
from support.simulation.runner import Script

_WIDTH = 5
_PATIENT = Retry(attempts=3, delay=0.5, max_delay=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes of one pipeline, and what their scripts do."""

    subject: str
    nodes: tuple[Definition, ...]
    fails: frozenset[str] = frozenset()
    flaky: tuple[tuple[str, int], ...] = ()
    hangs: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        return self.subject.removeprefix("events.")


def _defined(name: str, pipeline: str, **fields: object) -> Definition:
    definition = node(name, pipeline=pipeline, retry=_PATIENT, timeout=20, **fields)  # type: ignore[arg-type]
    undo = definition.node.compensate
    if undo is None:
        return definition
    slower = Compensate(script=undo.script, retry=_PATIENT, timeout=20)
    return msgspec.structs.replace(
        definition, node=msgspec.structs.replace(definition.node, compensate=slower)
    )


DIAMOND = Graph(
    subject="events.diamond",
    nodes=(
        _defined("a", "diamond", gives="x", on="events.diamond"),
        _defined("b", "diamond", needs="x", gives="y"),
        _defined("c", "diamond", needs="x", gives="z"),
        _defined("d", "diamond", needs="y z", gives="w"),
    ),
)
ORDER = Graph(
    subject="events.order",
    nodes=(
        _defined(
            "screen", "order", gives="screened", on="events.order", undo=False, effect=PURE
        ),
        _defined("reserve", "order", needs="screened", gives="reserved"),
        _defined("charge", "order", needs="reserved", gives="charged"),
        _defined("mail", "order", needs="reserved", gives="mailed", undo=False),
        _defined("ship", "order", needs="charged mailed", gives="shipped"),
    ),
    fails=frozenset({"ship"}),
    flaky=(("charge/undo", 3),),
)
_TWO = Ask(groups=("people",), count=2, timeout=40)
_EITHER = Ask(groups=("people",), timeout=40, on_timeout="approve")
_BRANCHES = tuple(f"w{at}" for at in range(_WIDTH))
_ONLY_MAIN: Mapping[str, object] = {"op": "eq", "path": "event.branch", "value": "main"}
WIDE = Graph(
    subject="events.wide",
    nodes=(
        _defined("begin", "wide", gives="begun", on="events.wide"),
        *(_defined(each, "wide", needs="begun", gives=f"{each}-done") for each in _BRANCHES),
        _defined("extra", "wide", needs="begun", gives="extra-done", when=_ONLY_MAIN),
        _defined("tell", "wide", needs="extra-done", gives="told"),
        _defined("join", "wide", needs=" ".join(f"{each}-done" for each in _BRANCHES)),
    ),
    flaky=(("w1", 1), ("w2", 2)),
    hangs=(("w3", 1),),
)
DENIED = Graph(
    subject="events.denied",
    nodes=(_defined("never", "denied", gives="nothing", on="events.denied"),),
)
ASKING = Graph(
    subject="events.asking",
    nodes=(
        _defined("draft", "asking", gives="drafted", on="events.asking"),
        _defined("deploy", "asking", needs="drafted", gives="deployed", ask=_TWO),
        _defined("check", "asking", needs="drafted", gives="checked"),
        _defined("open", "asking", needs="deployed checked", gives="opened", ask=_EITHER),
    ),
)
GRAPHS = (DIAMOND, ORDER, WIDE, ASKING)


def script(graphs: list[Graph]) -> Script:
    """The scripts of several graphs, which share no name."""
    every = [each.node for graph in graphs for each in graph.nodes]
    return Script(
        outputs={
            each.name: {name: {"by": each.name} for name in each.produces} for each in every
        },
        fails=frozenset(name for graph in graphs for name in graph.fails),
        flaky=dict(pair for graph in graphs for pair in graph.flaky),
        hangs=dict(pair for graph in graphs for pair in graph.hangs),
    )


@cache
def generation() -> Generation:
    """All graphs compiled together."""
    compiled = compile_graph([each for graph in (*GRAPHS, DENIED) for each in graph.nodes])
    assert compiled.generation is not None, compiled.diagnostics
    return compiled.generation


@cache
def plans() -> tuple[Plan, ...]:
    """The plan of each graph."""
    return tuple(
        plan for graph in (*GRAPHS, DENIED) for plan in generation().plans(graph.subject)
    )
