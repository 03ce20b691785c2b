"""How records look to people and programs: the one place that gives JSON its shape.

Times are ISO 8601 in UTC with milliseconds. Keys never disappear; what is unknown is null.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Plan
from stratum_orchestrator.api.desk import Change, Check, Instance, Outcome, Status, Version
from stratum_orchestrator.api.visitor import Visitor
from stratum_orchestrator.saga.attention import Attention
from stratum_orchestrator.trace import of_run
from stratum_state.activation import ActivationRecord
from stratum_state.credential import CredentialLease
from stratum_state.model import (
    CompensationRecord,
    JournalLine,
    PipelineRun,
    StepRecord,
    Trail,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord

View = dict[str, object]


def iso(ms: int | None) -> str | None:
    """Unix milliseconds as `2026-01-31T12:34:56.789Z`; None stays None."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run(trail: Trail, plan: Plan | None) -> View:
    """A run and all that happened in it. Without its plan, stages come from its steps."""
    return head(trail.run) | {
        "event": event(trail.run),
        "stages": stages(plan) if plan else _stages_seen(trail.steps),
        "steps": [step(each) for each in trail.steps],
        "compensations": [compensation(each) for each in trail.compensations],
        "credentials": [lease(each) for each in trail.leases],
    }


def head(run: PipelineRun) -> View:
    """A run as a list shows it: what it is and how it stands, without its steps."""
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "status": run.status.value,
        "subject": run.subject,
        "event": _source(run),
        "plan": run.plan,
        "generation": run.generation,
        "trace": of_run(run.id, run.trace).trace,
        "cause": run.cause,
        "compensation": run.compensation.value if run.compensation else None,
        "waived": bool(run.waived),
        "instruction": _decoded(run.instruction),
        "trouble": _decoded(run.trouble),
        "accepted": iso(run.accepted),
        "started": iso(run.started),
        "ended": iso(run.ended),
        "authorization": _decoded(run.authorization),
    }


def event(run: PipelineRun) -> View:
    """The event that opened a run, with its payload."""
    return _source(run) | {"subject": run.subject, "data": _decoded(run.data)}


def attempt(record: StepRecord | CompensationRecord) -> View:
    """How an attempt stands, without what it gave and said."""
    return {
        "run": record.run,
        "node": record.node,
        "stage": record.stage,
        "attempt": record.attempt,
        "status": record.status.value,
        "started": iso(record.started),
        "ended": iso(record.ended),
        "error": _error(record),
    }


def log(record: StepRecord | CompensationRecord) -> View:
    """What a script said on stderr."""
    return {
        "node": record.node,
        "script": "run" if isinstance(record, StepRecord) else "undo",
        "attempt": record.attempt,
        "status": record.status.value,
        "started": iso(record.started),
        "ended": iso(record.ended),
        "stderr": record.stderr or "",
    }


def attention(found: Attention | None) -> View | None:
    """Why a run needs a person, and the commands that help."""
    if found is None:
        return None
    return {"code": found.code, "reason": found.reason, "commands": list(found.commands)}


def stages(plan: Plan) -> list[list[str]]:
    """The names of the nodes, stage by stage."""
    names = [planned.definition.node.name for planned in plan.nodes]
    return [[names[index] for index in stage] for stage in plan.stages]


def version(found: Version) -> View:
    """A bundle that is or was in force."""
    return {
        "digest": found.digest,
        "generation": found.generation,
        "signer": found.signer or None,
        "activated": iso(found.activated),
        "by": found.by,
        "active": found.is_active,
        "cached": found.is_cached,
        "live_runs": found.live_runs,
        "runs": list(found.runs),
    }


def change(found: Change) -> View:
    """One file that differs between two bundles."""
    return {
        "change": found.kind,
        "file": found.file,
        "lines": list(found.lines),
        "cut": found.is_cut,
    }


def activation(record: ActivationRecord) -> View:
    """One change of the bundle in force."""
    return {
        "id": record.id,
        "source": record.source,
        "digest": record.digest,
        "previous": record.previous or None,
        "generation": record.generation,
        "signer": record.signer or None,
        "kind": record.kind.value,
        "by": record.by,
        "reason": record.reason,
        "authorization": _decoded(record.authorization),
        "at": iso(record.at),
    }


def standing(record: StandingRecord) -> View:
    """One change of how a pipeline stands."""
    return {
        "pipeline": record.pipeline,
        "standing": record.kind.value,
        "by": record.by,
        "reason": record.reason,
        "authorization": _decoded(record.authorization),
        "at": iso(record.at),
    }


def verdict(record: VerdictRecord) -> View:
    """What became of one event."""
    return {
        "id": record.id,
        "sequence": record.sequence,
        "subject": record.subject,
        "event_id": record.event_id,
        "publisher": record.publisher,
        "kind": record.kind.value,
        "code": record.code,
        "reason": record.reason,
        "runs": list(record.runs),
        "authorization": _decoded(record.authorization),
        "stored": iso(record.stored),
        "at": iso(record.at),
    }


def lease(receipt: CredentialLease) -> View:
    """What a process was lent: a receipt, never a value."""
    return {
        "node": receipt.node,
        "stage": receipt.stage,
        "attempt": receipt.attempt,
        "purpose": receipt.purpose,
        "names": list(receipt.names),
        "provider": receipt.provider,
        "status": receipt.status.value,
        "policy": receipt.policy,
        "accessor": receipt.accessor,
        "requested": iso(receipt.requested),
        "issued": iso(receipt.issued),
        "expires": iso(receipt.expires),
        "ended": iso(receipt.ended),
        "detail": receipt.detail,
    }


def journal_line(line: JournalLine) -> View:
    """One entry of the audit. `body` stays the exact text that `hash` is over."""
    return {
        "run": line.run,
        "n": line.n,
        "at": iso(line.at),
        "kind": line.kind,
        "body": line.body,
        "hash": line.hash,
    }


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


def step(step: StepRecord) -> View:
    """One attempt at a node."""
    return {
        "node": step.node,
        "stage": step.stage,
        "status": step.status.value,
        "attempt": step.attempt,
        "started": iso(step.started),
        "ended": iso(step.ended),
        "outputs": _decoded(step.outputs),
        "error": _error(step),
        "stderr": step.stderr,
        "level": step.level,
        "resources": _decoded(step.resources),
    }


def compensation(undo: CompensationRecord) -> View:
    """One attempt at undoing a node."""
    return {
        "node": undo.node,
        "stage": undo.stage,
        "status": undo.status.value,
        "attempt": undo.attempt,
        "outcome": undo.outcome,
        "started": iso(undo.started),
        "ended": iso(undo.ended),
        "error": _error(undo),
        "stderr": undo.stderr,
        "level": undo.level,
        "resources": _decoded(undo.resources),
        "instruction": _decoded(undo.instruction),
    }


def _source(run: PipelineRun) -> View:
    return {
        "id": run.event_id,
        "time": iso(run.event_time),
        "publisher": run.publisher,
        "principal": run.principal,
    }


def _error(record: StepRecord | CompensationRecord) -> View | None:
    if record.error_class is None and record.error is None:
        return None
    return {
        "class": record.error_class,
        "message": record.error,
        "exit_code": record.exit_code,
    }


def _stages_seen(steps: Sequence[StepRecord]) -> list[list[str]]:
    seen: dict[int, dict[str, None]] = {}
    for step in steps:
        seen.setdefault(step.stage, {})[step.node] = None
    return [list(seen[stage]) for stage in sorted(seen)]


def _decoded(canonical: str | None) -> object:
    return None if canonical is None else json.loads(canonical)
