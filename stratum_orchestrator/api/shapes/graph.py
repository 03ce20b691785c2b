"""Plans, the graph, and what can be triggered."""

from typing import Literal

from msgspec import field

from stratum_orchestrator.api.shapes.ground import Json, Moment, Shape


class Edge(Shape, frozen=True):
    """What one node gives another."""

    from_: str = field(name="from")
    to: str
    capability: str


class Ask(Shape, frozen=True):
    """Who is asked before a node begins."""

    groups: list[str]
    count: int
    timeout_s: float
    on_timeout: Literal["reject", "approve"]


class PlannedNode(Shape, frozen=True):
    """A node in its place in a plan."""

    name: str
    stage: int
    triggered: bool
    version: str
    description: str
    file: str
    tree: str
    effect: str
    consumes: list[str]
    produces: list[str]
    compensated: bool
    timeout_s: float
    attempts: int
    asks: Ask | None


class Pruned(Shape, frozen=True):
    """A node that does not run, and why."""

    node: str
    why: str


class Plan(Shape, frozen=True):
    """What a run is made of."""

    plan: str
    pipeline: str
    stages: list[list[str]]
    nodes: list[PlannedNode]
    edges: list[Edge]
    pruned: list[Pruned]


class Trigger(Shape, frozen=True):
    """Which events start a pipeline at a node."""

    pipeline: str
    subjects: list[str]


class GraphNode(Shape, frozen=True):
    """A node of the generation."""

    name: str
    version: str
    description: str
    file: str
    tree: str
    enabled: bool
    effect: str
    trigger: Trigger | None
    consumes: list[str]
    produces: list[str]
    compensated: bool


class Graph(Shape, frozen=True):
    """The generation that new events are planned with."""

    generation: str
    pipelines: list[str]
    nodes: list[GraphNode]
    edges: list[Edge]


class Standing(Shape, frozen=True):
    """One change of how a pipeline stands."""

    pipeline: str
    standing: Literal["active", "paused", "disabled"]
    by: str
    reason: str
    authorization: Json
    at: Moment | None


class Pipeline(Shape, frozen=True):
    """What can be triggered. `held` is who had it stand as it does, if anybody did."""

    pipeline: str
    subjects: list[str]
    triggered: list[str]
    nodes: int
    standing: Literal["active", "paused", "disabled"]
    held: Standing | None
    waiting: int


class Pipelines(Shape, frozen=True):
    """All of them."""

    generation: str
    pipelines: list[Pipeline]
