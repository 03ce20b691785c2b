"""Bundles of definitions, and what brought them into force."""

from typing import Literal

from msgspec import field

from stratum_orchestrator.api.shapes.ground import Json, Moment, Shape


class Version(Shape, frozen=True):
    """A bundle that is or was in force."""

    digest: str
    generation: str
    signer: str | None
    activated: Moment | None
    by: str
    active: bool
    cached: bool
    live_runs: int
    runs: list[str]


class Versions(Shape, frozen=True):
    """The latest first."""

    versions: list[Version]


class Change(Shape, frozen=True):
    """One file that differs; the lines are those of a unified diff."""

    change: Literal["added", "changed", "removed"]
    file: str
    lines: list[str]
    cut: bool


class Difference(Shape, frozen=True):
    """What differs between two bundles."""

    from_: str = field(name="from")
    to: str
    changes: list[Change]


class Activation(Shape, frozen=True):
    """One change of the bundle in force."""

    id: str
    source: str
    digest: str
    previous: str | None
    generation: str
    signer: str | None
    kind: Literal["configured", "activated", "rolled-back"]
    by: str
    reason: str
    authorization: Json
    at: Moment | None


class History(Shape, frozen=True):
    """Newest first."""

    activations: list[Activation]


class Held(Shape, frozen=True):
    """One compiled graph, the bundles that it came from, and the runs that hold it."""

    generation: str
    active: bool
    bundles: list[str]
    live_runs: int


class Generations(Shape, frozen=True):
    """The one in force first."""

    generations: list[Held]
