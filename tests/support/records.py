"""Facts about runs with little to say, for tests of whatever records them."""

from dataclasses import replace

from stratum_state import model
from stratum_state.activation import ActivationKind, ActivationRecord, activation_id
from stratum_state.checkpoint import Answer, AnswerStatus, Checkpoint, CheckpointStatus
from stratum_state.credential import CredentialLease, CredentialStatus, Purpose
from stratum_state.decision import Answer as Ruled, DecisionRecord, decision_id
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    CompensationStatus,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    VerdictKind,
    VerdictRecord,
)
from stratum_state.standing import Standing, StandingRecord, standing_id

NOW = 1_750_000_000_000
PUBLISHER = "UPUBLISHER"


def a_run(event_id: str = "e1", *, at: int = NOW, pipeline: str = "build") -> PipelineRun:
    """An accepted run."""
    identity = model.identity(PUBLISHER, event_id, pipeline)
    return PipelineRun(
        id=model.run_id(at, identity),
        identity=identity,
        pipeline=pipeline,
        subject="events.push",
        event_id=event_id,
        event_time=at - 5,
        publisher=PUBLISHER,
        principal="ada",
        data='{"ref":"main"}',
        plan="sha256:plan",
        generation="sha256:generation",
        authorization='{"allowed":true}',
        accepted=at,
    )


def a_step(
    run: PipelineRun, node: str = "lint", *, stage: int = 0, attempt: int = 1
) -> StepRecord:
    """A started step."""
    return StepRecord(
        run=run.id, node=node, stage=stage, attempt=attempt, started=run.accepted + 10
    )


def a_compensation(
    run: PipelineRun, node: str = "lint", *, stage: int = 0, attempt: int = 1
) -> CompensationRecord:
    """A started compensation of a step that succeeded."""
    return CompensationRecord(
        run=run.id,
        node=node,
        stage=stage,
        attempt=attempt,
        outcome="succeeded",
        started=run.accepted + 30,
    )


def a_lease(
    run: PipelineRun,
    node: str = "lint",
    *,
    stage: int = 0,
    attempt: int = 1,
    purpose: Purpose = "do",
) -> CredentialLease:
    """A lease that is asked for."""
    return CredentialLease(
        run=run.id,
        node=node,
        stage=stage,
        attempt=attempt,
        purpose=purpose,
        names=("registry", "signing"),
        provider="vault",
        lasts=310_000,
        requested=run.accepted + 10,
        login="login-accessor",
    )


def a_question(
    run: PipelineRun, node: str = "lint", *, stage: int = 0, count: int = 1
) -> Checkpoint:
    """A question that is open."""
    return Checkpoint(
        run=run.id,
        node=node,
        stage=stage,
        groups=("release", "security"),
        count=count,
        on_timeout="reject",
        plan=run.plan,
        inputs="sha256:inputs",
        asked=run.accepted + 10,
        deadline=run.accepted + 60_010,
        notice="events.stratum.run.asked.build",
    )


def an_answer(
    question: Checkpoint, person: str = "ada", status: AnswerStatus = AnswerStatus.APPROVED
) -> Answer:
    """What somebody says to it."""
    return Answer(
        run=question.run,
        node=question.node,
        stage=question.stage,
        person=person,
        key=f"U{person.upper()}",
        status=status,
        plan=question.plan,
        reason="a “reason”",
        instruction="{}",
        answered=question.asked + 5,
    )


def closed(
    question: Checkpoint, status: CheckpointStatus = CheckpointStatus.APPROVED
) -> Checkpoint:
    return question.to(status, ended=question.asked + 5)


def issued(lease: CredentialLease, accessor: str = "an-accessor") -> CredentialLease:
    return lease.to(
        CredentialStatus.ISSUED,
        accessor=accessor,
        policy="stratum-node-lint",
        issued=lease.requested + 5,
        expires=lease.requested + 5 + lease.lasts,
    )


def revoked(lease: CredentialLease) -> CredentialLease:
    return lease.to(CredentialStatus.REVOKED, ended=lease.requested + 20)


def a_verdict(
    *runs: PipelineRun, sequence: int = 1, kind: VerdictKind = VerdictKind.ACCEPTED
) -> VerdictRecord:
    """What became of the event of the runs, or of an event without any."""
    at = runs[0].accepted if runs else NOW
    return VerdictRecord(
        id=model.verdict_id(at, sequence),
        sequence=sequence,
        subject="events.push",
        event_id=runs[0].event_id if runs else f"e{sequence}",
        publisher=PUBLISHER,
        kind=kind,
        code=str(kind),
        reason="as the policies say",
        runs=tuple(each.id for each in runs),
        stored=at,
        at=at,
    )


def running(run: PipelineRun) -> PipelineRun:
    return run.to(RunStatus.RUNNING, started=run.accepted + 1)


def suspended(run: PipelineRun) -> PipelineRun:
    return run.to(RunStatus.SUSPENDED)


def completed(run: PipelineRun) -> PipelineRun:
    return run.to(RunStatus.COMPLETED, ended=run.accepted + 100)


def compensating(run: PipelineRun, cause: str = "lint failed") -> PipelineRun:
    return run.to(RunStatus.COMPENSATING, cause=cause)


def compensated(
    run: PipelineRun, compensation: Compensation = Compensation.CLEAN
) -> PipelineRun:
    return run.to(RunStatus.COMPENSATED, ended=run.accepted + 100, compensation=compensation)


def succeeded(step: StepRecord, outputs: str = '{"lint":true}') -> StepRecord:
    return step.to(
        StepStatus.SUCCEEDED,
        ended=step.started + 10,
        outputs=outputs,
        exit_code=0,
        level="landlock",
        resources='{"cpu_ms":1}',
    )


def failed(step: StepRecord, error: str = "it exited with 1") -> StepRecord:
    return step.to(
        StepStatus.FAILED, ended=step.started + 10, error_class="exit", error=error, exit_code=1
    )


def undone(compensation: CompensationRecord) -> CompensationRecord:
    return compensation.to(CompensationStatus.DONE, ended=compensation.started + 10)


def with_data(run: PipelineRun, data: str) -> PipelineRun:
    """The same run with another payload."""
    return replace(run, data=data)


def an_activation(at: int, digest: str = "a" * 64, **more: object) -> ActivationRecord:
    """A bundle that came into force."""
    said = ActivationRecord(
        id=activation_id(at, f"sha256:{digest}"),
        source="oci-layout:nodes:v1",
        digest=f"sha256:{digest}",
        previous="",
        generation="",
        signer="",
        kind=ActivationKind.ACTIVATED,
        by="operator",
        reason="a “reason”",
        authorization="{}",
        at=at,
    )
    return replace(said, **more)  # type: ignore[arg-type]


def a_standing(
    pipeline: str = "build", kind: Standing = Standing.PAUSED, at: int = 1_000, **more: object
) -> StandingRecord:
    """A pipeline that somebody held back."""
    said = StandingRecord(
        id=standing_id(at, pipeline),
        pipeline=pipeline,
        kind=kind,
        by="olga",
        reason="a “freeze”",
        authorization="{}",
        at=at,
    )
    return replace(said, **more)  # type: ignore[arg-type]


def a_decision(
    principal: str = "vera",
    kind: Ruled = Ruled.DENIED,
    action: str = "cancel",
    last: int = 1_000,
    **more: object,
) -> DecisionRecord:
    """What the policies said to somebody's command."""
    said = DecisionRecord(
        id=decision_id(last, f"{principal} {action}"),
        kind=kind,
        principal=principal,
        key=f"U{principal.upper()}",
        action=action,
        pipeline="build",
        of_run=a_run().id,
        authorization='{"allowed":false,"policies":["guard.tenant"],"reason":"no “reason”"}',
        instance="here",
        count=1,
        first=1_000,
        last=last,
    )
    return replace(said, **more)  # type: ignore[arg-type]
