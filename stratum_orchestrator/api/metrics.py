"""What Prometheus is told. Labels are names of definitions and fixed words, no payloads."""

from collections.abc import Callable, Sequence

import msgspec
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from stratum_orchestrator.api.desk import Outcome
from stratum_orchestrator.ports import Clock
from stratum_state.activation import ActivationRecord
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.model import (
    CompensationRecord,
    Fact,
    PipelineRun,
    StepRecord,
    StepStatus,
    VerdictKind,
    VerdictRecord,
)
from stratum_state.standing import StandingRecord

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_MAX_NAMES = 1000  # label values kept apart before the rest becomes `other`


class Names:
    """A bounded set of label values: hot reloads cannot grow the exposition without end."""

    def __init__(self, limit: int = _MAX_NAMES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= self._limit:
                return "other"
            self._known.add(name)
        return name


class Metrics:
    """One registry, fed with each durable fact and a few settings of state."""

    def __init__(self, clock: Clock, *, version: str, commit: str = "") -> None:
        self._clock = clock
        self._registry = CollectorRegistry()
        self._pipeline, self._node, self._reason = Names(), Names(), Names(100)
        self._live: dict[str, PipelineRun] = {}
        self._build_state(version, commit)
        self._build_work()
        ProcessCollector(registry=self._registry)

    def _build_state(self, version: str, commit: str) -> None:
        where = self._registry
        Info("stratum_build", "What runs here.", registry=where).info(
            {"version": version, "commit": commit}
        )
        self._nodes = Gauge(
            "stratum_graph_nodes", "Nodes of the current generation.", registry=where
        )
        self._reloaded = Gauge(
            "stratum_graph_reload_timestamp_seconds",
            "When the current generation took over, Unix time.",
            registry=where,
        )
        self._reloads = Counter(
            "stratum_reload", "Attempts at a new generation.", ["outcome"], registry=where
        )
        self._attempted = Gauge(
            "stratum_reload_timestamp_seconds",
            "When definitions were looked through last, Unix time.",
            registry=where,
        )
        self._generation = Info("stratum_generation", "What is in force.", registry=where)
        self._decisions = Counter(
            "stratum_authz_decisions", "What the policies said.", ["decision"], registry=where
        )
        self._recovered = Counter(
            "stratum_recovered_runs", "Runs taken up again at a start.", registry=where
        )
        self._taken = Counter(
            "stratum_taken_over_runs",
            "Unfinished runs that were taken over from other instances.",
            registry=where,
        )
        self._checks = Gauge(
            "stratum_check_ok", "Whether a check of readiness holds.", ["check"], registry=where
        )
        self._writes = Histogram(
            "stratum_db_write_duration_seconds",
            "Time until facts are durable.",
            registry=where,
        )

    def _build_work(self) -> None:
        where = self._registry
        self._received = Counter(
            "stratum_events_received", "Events with a verdict.", ["verdict"], registry=where
        )
        self._rejected = Counter(
            "stratum_events_rejected", "Events refused.", ["reason"], registry=where
        )
        self._runs = Counter(
            "stratum_runs", "Runs that ended.", ["pipeline", "status"], registry=where
        )
        self._in_progress = Gauge(
            "stratum_runs_in_progress", "Runs that are not over.", ["pipeline"], registry=where
        )
        self._run_time = Histogram(
            "stratum_run_duration_seconds",
            "From acceptance to the end.",
            ["pipeline", "status"],
            buckets=_SECONDS,
            registry=where,
        )
        self._step_time = Histogram(
            "stratum_step_duration_seconds",
            "From an attempt's start to its end.",
            ["node", "status"],
            buckets=_SECONDS,
            registry=where,
        )
        self._attempts = Counter(
            "stratum_step_attempts", "Attempts at steps.", ["node"], registry=where
        )
        self._undone = Counter(
            "stratum_compensations",
            "Compensations that ended.",
            ["node", "result"],
            registry=where,
        )
        self._lent = Gauge(
            "stratum_credentials_active",
            "Credentials that are lent and not taken back.",
            registry=where,
        )
        self._returned = Counter(
            "stratum_credential_revocations",
            "Credentials that ended: taken back, or left to their expiry.",
            ["result"],
            registry=where,
        )
        Gauge(
            "stratum_oldest_run_age_seconds", "Age of the oldest run alive.", registry=where
        ).set_function(self._oldest_age_s)

    def observe(self, facts: Sequence[Fact]) -> None:
        """Count what has just become durable."""
        for fact in facts:
            match fact:
                case PipelineRun():
                    self._run(fact)
                case StepRecord():
                    self._step(fact)
                case CompensationRecord():
                    self._compensation(fact)
                case VerdictRecord():
                    self._verdict(fact)
                case CredentialLease():
                    self._lease(fact)
                case ActivationRecord() | StandingRecord():
                    pass  # what they bring about is counted when it is

    def generation(self, digest: str, nodes: int) -> None:
        """A generation of so many nodes took over."""
        self._nodes.set(nodes)
        self._generation.info({"digest": digest})
        self._reloaded.set(self._clock.now_ms() / 1000)

    def reloaded(self, outcome: Outcome, nodes: int) -> None:
        """Something came of an attempt; so many nodes are in force."""
        self._attempted.set(outcome.at / 1000)
        self._reloads.labels(outcome.kind).inc()
        if outcome.kind == "live":
            self.generation(outcome.generation, nodes)

    def decision(self, *, allowed: bool) -> None:
        """The policies decided once."""
        self._decisions.labels("allow" if allowed else "deny").inc()

    def recovered(self, runs: int) -> None:
        """So many runs were taken up again."""
        self._recovered.inc(runs)

    def taken_over(self, runs: int) -> None:
        """So many runs of other instances are ours now."""
        self._taken.inc(runs)

    def check(self, name: str, holds: Callable[[], bool]) -> None:
        """Show whether a check of readiness holds, whenever somebody looks."""
        self._checks.labels(name).set_function(lambda: float(holds()))

    def wrote(self, seconds: float) -> None:
        """Facts took so long to become durable."""
        self._writes.observe(seconds)

    def exposition(self) -> bytes:
        """The text that a scrape gets; its media type is `MEDIA_TYPE`."""
        return generate_latest(self._registry)

    def _run(self, run: PipelineRun) -> None:
        pipeline = self._pipeline(run.pipeline)
        was_live = run.id in self._live
        if not run.is_over:
            self._live[run.id] = run
            if not was_live:
                self._in_progress.labels(pipeline).inc()
            return
        if was_live:
            del self._live[run.id]
            self._in_progress.labels(pipeline).dec()
        self._runs.labels(pipeline, run.status.value).inc()
        if run.ended is not None:
            self._run_time.labels(pipeline, run.status.value).observe(
                _seconds(run.accepted, run.ended)
            )

    def _step(self, step: StepRecord) -> None:
        node = self._node(step.node)
        if step.status is StepStatus.STARTED:
            self._attempts.labels(node).inc()
        elif step.ended is not None:
            self._step_time.labels(node, step.status.value).observe(
                _seconds(step.started, step.ended)
            )

    def _compensation(self, undo: CompensationRecord) -> None:
        if undo.is_over:
            self._undone.labels(self._node(undo.node), undo.status.value).inc()

    def _lease(self, lease: CredentialLease) -> None:
        if lease.status is CredentialStatus.ISSUED:
            self._lent.inc()
        elif lease.issued is not None:
            self._lent.dec()
            self._returned.labels(lease.status.value).inc()

    def _verdict(self, verdict: VerdictRecord) -> None:
        self._received.labels(verdict.kind.value).inc()
        if verdict.kind is VerdictKind.REFUSED:
            self._rejected.labels(self._reason(verdict.code)).inc()
        for decision in msgspec.json.decode(verdict.authorization):
            if "allowed" in decision:
                self.decision(allowed=decision["allowed"])

    def _oldest_age_s(self) -> float:
        oldest = min((run.accepted for run in self._live.values()), default=None)
        return 0.0 if oldest is None else _seconds(oldest, self._clock.now_ms())


def _seconds(start_ms: int, end_ms: int) -> float:
    return max(0, end_ms - start_ms) / 1000
