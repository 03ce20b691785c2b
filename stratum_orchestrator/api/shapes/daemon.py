"""The daemon, and who asks it."""

from typing import Literal

from stratum_orchestrator.api.shapes.ground import Moment, Shape


class Check(Shape, frozen=True):
    """One readiness check."""

    name: str
    ok: bool
    degraded: bool
    detail: str


class Finding(Shape, frozen=True):
    """One finding about a definition."""

    file: str
    line: int | None
    column: int | None
    severity: str
    message: str
    hint: str | None


class Reload(Shape, frozen=True):
    """What came of an attempt to bring the definitions of then into force."""

    outcome: Literal["live", "unchanged", "refused", "failed"]
    reason: str
    generation: str
    at: Moment | None
    took_ms: int
    evaluated: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    principals_changed: bool
    policies_changed: bool
    why: str
    diagnostics: list[Finding]


class Status(Shape, frozen=True):
    """The daemon at a glance."""

    version: str
    instance: str
    started: Moment | None
    generation: str | None
    diagnostics: list[Finding]
    reload: Reload | None
    live_runs: int
    checks: list[Check]


class Instance(Shape, frozen=True):
    """Who writes through a lane."""

    lane: str
    instance: str | None
    heard_ms: int
    this: bool


class Instances(Shape, frozen=True):
    """Everybody who shares the database."""

    instances: list[Instance]


class Visitor(Shape, frozen=True):
    """As whom a token acts."""

    principal: str
    kind: str
    tenant: str
    groups: list[str]
    token: str
