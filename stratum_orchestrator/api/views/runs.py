"""Runs, and what happened in them."""

from collections.abc import Sequence

from stratum_graph.model import Plan
from stratum_orchestrator.api.views.ground import View, decoded, iso
from stratum_orchestrator.saga.attention import Attention
from stratum_orchestrator.trace import of_run
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.model import (
    CompensationRecord,
    JournalLine,
    PipelineRun,
    StepRecord,
    Trail,
)


def run(trail: Trail, plan: Plan | None) -> View:
    """A run and all that happened in it. Without its plan, stages come from its steps."""
    return head(trail.run) | {
        "event": event(trail.run),
        "stages": stages(plan) if plan else _stages_seen(trail.steps),
        "steps": [step(each) for each in trail.steps],
        "compensations": [compensation(each) for each in trail.compensations],
        "credentials": [lease(each) for each in trail.leases],
        "checkpoints": [inquiry(trail, each) for each in trail.checkpoints],
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
        "instruction": decoded(run.instruction),
        "trouble": decoded(run.trouble),
        "accepted": iso(run.accepted),
        "started": iso(run.started),
        "ended": iso(run.ended),
        "authorization": decoded(run.authorization),
    }


def event(run: PipelineRun) -> View:
    """The event that opened a run, with its payload."""
    return _source(run) | {"subject": run.subject, "data": decoded(run.data)}


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


def checkpoint(asked: Checkpoint) -> View:
    """A question to people, and what they are asked about."""
    return {
        "run": asked.run,
        "node": asked.node,
        "stage": asked.stage,
        "status": asked.status.value,
        "groups": list(asked.groups),
        "count": asked.count,
        "on_timeout": asked.on_timeout,
        "plan": asked.plan,
        "inputs": asked.inputs,
        "asked": iso(asked.asked),
        "deadline": iso(asked.deadline),
        "ended": iso(asked.ended),
        "detail": asked.detail,
    }


def answer(given: Answer) -> View:
    """What one person said to it, and by what right."""
    return {
        "run": given.run,
        "node": given.node,
        "person": given.person,
        "status": given.status.value,
        "reason": given.reason,
        "at": iso(given.answered),
        "plan": given.plan,
        "instruction": decoded(given.instruction),
    }


def inquiry(trail: Trail, asked: Checkpoint) -> View:
    """A question with all that was answered so far."""
    given = [answer(each) for each in trail.answers_to(asked)]
    return checkpoint(asked) | {"answers": given}


def asking(trail: Trail) -> list[View]:
    """The open questions of a run, as a list of many runs shows them."""
    of = {"pipeline": trail.run.pipeline, "subject": trail.run.subject}
    return [inquiry(trail, each) | of for each in trail.open_checkpoints]


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


def step(step: StepRecord) -> View:
    """One attempt at a node."""
    return {
        "node": step.node,
        "stage": step.stage,
        "status": step.status.value,
        "attempt": step.attempt,
        "started": iso(step.started),
        "ended": iso(step.ended),
        "outputs": decoded(step.outputs),
        "error": _error(step),
        "stderr": step.stderr,
        "level": step.level,
        "resources": decoded(step.resources),
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
        "resources": decoded(undo.resources),
        "instruction": decoded(undo.instruction),
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
