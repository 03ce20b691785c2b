"""The daemon, and who asks it."""

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.api.desk import Check, Instance, Outcome, Status
from stratum_orchestrator.api.views.ground import View, iso
from stratum_orchestrator.api.visitor import Visitor


def instance(found: Instance) -> View:
    """Who writes through a lane."""
    return {
        "lane": found.lane,
        "instance": found.name or None,
        "heard_ms": found.heard_ms,
        "this": found.is_this,
    }


def visitor(who: Visitor) -> View:
    """As whom a token acts."""
    principal = who.principal
    return {
        "principal": principal.name,
        "kind": principal.kind,
        "tenant": principal.tenant,
        "groups": list(principal.groups),
        "token": who.token,
    }


def check(found: Check) -> View:
    """One readiness check."""
    return {
        "name": found.name,
        "ok": found.ok,
        "degraded": found.degraded,
        "detail": found.detail,
    }


def diagnostic(found: Diagnostic) -> View:
    """One finding about a definition."""
    return {
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "severity": found.severity,
        "message": found.message,
        "hint": found.hint,
    }


def outcome(came: Outcome) -> View:
    """What came of a reload."""
    return {
        "outcome": came.kind,
        "reason": came.reason,
        "generation": came.generation,
        "at": iso(came.at),
        "took_ms": came.took_ms,
        "evaluated": came.evaluated,
        "added": list(came.added),
        "changed": list(came.changed),
        "removed": list(came.removed),
        "principals_changed": came.people,
        "policies_changed": came.policies,
        "why": came.why,
        "diagnostics": [diagnostic(each) for each in came.diagnostics],
    }


def status(now: Status) -> View:
    """The daemon at a glance."""
    return {
        "version": now.version,
        "instance": now.instance,
        "started": iso(now.started),
        "generation": now.generation,
        "diagnostics": [diagnostic(each) for each in now.diagnostics],
        "reload": outcome(now.reload) if now.reload else None,
        "live_runs": now.live_runs,
        "checks": [check(each) for each in now.checks],
    }
