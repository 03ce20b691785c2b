"""What Prometheus is told. Labels are names of definitions and fixed words, no payloads."""

from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import disk_usage

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from stratum_orchestrator.api.board import Board
from stratum_orchestrator.api.desk import Outcome
from stratum_orchestrator.api.instruments import Described
from stratum_orchestrator.ports import Clock
from stratum_state import moves
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.model import (
    Compensation,
    CompensationRecord,
    Fact,
    OfRun,
    PipelineRun,
    RunStatus,
    StepRecord,
    StepStatus,
    Trail,
    VerdictKind,
    VerdictRecord,
)

MEDIA_TYPE = CONTENT_TYPE_LATEST
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
        self._on = Board()
        self._pipeline, self._node, self._reason = Names(), Names(), Names(100)
        self._live: dict[str, PipelineRun] = {}
        self._lent: set[tuple[str, moves.Place]] = set()
        self._asked: dict[tuple[str, str], int] = {}
        self._peak: dict[str, int] = {}
        self._on.build.info({"version": version, "commit": commit})
        self._on.oldest(self._oldest_age_s)
        self._on.lent(lambda: len(self._lent))
        self._on.questions(lambda: len(self._asked))
        self._on.oldest_question(self._oldest_asked_s)

    @property
    def described(self) -> Sequence[Described]:
        """Every metric of ours, with its meaning."""
        return self._on.described

    def exposition(self) -> bytes:
        """The text that a scrape gets; its media type is `MEDIA_TYPE`."""
        return self._on.exposition()

    def observe(self, facts: Sequence[Fact]) -> None:
        """Count what has just become durable."""
        for fact in facts:
            if isinstance(fact, VerdictRecord):
                self._verdict(fact)
            elif isinstance(fact, OfRun):
                self._part(fact)

    def adopt(self, trails: Sequence[Trail]) -> None:
        """Runs that began elsewhere, or in another life, are this instance's from now on."""
        for trail in trails:
            if not trail.run.is_over:
                self._run(trail.run)
            for lease in trail.leases:
                self._lease(lease)
            for question in trail.open_checkpoints:
                self._question(question)

    def generation(self, digest: str, nodes: int) -> None:
        """A generation of so many nodes took over."""
        self._on.nodes.set(nodes)
        self._on.generation.info({"digest": digest})
        self._on.reloaded.set(self._clock.now_ms() / 1000)

    def reloaded(self, outcome: Outcome, nodes: int) -> None:
        """Something came of an attempt; so many nodes are in force."""
        self._on.attempted.set(outcome.at / 1000)
        self._on.reloads.labels(outcome.kind).inc()
        if outcome.kind == "live":
            self.generation(outcome.generation, nodes)

    def decision(self, *, allowed: bool) -> None:
        """The policies decided once."""
        self._on.decisions.labels("allow" if allowed else "deny").inc()

    def recovered(self, runs: int) -> None:
        """So many runs were taken up again."""
        self._on.recovered.inc(runs)

    def taken_over(self, runs: int) -> None:
        """So many runs of other instances are ours now."""
        self._on.taken.inc(runs)

    def unresolved(self, runs: int) -> None:
        """So many runs need a person."""
        self._on.unresolved.set(runs)

    def check(self, name: str, holds: Callable[[], bool]) -> None:
        """Show whether a check of readiness holds, whenever somebody looks."""
        self._on.checks.labels(name).set_function(lambda: float(holds()))

    def watch_owed(self, owed: Callable[[], float]) -> None:
        """Show how many credentials could not be taken back yet."""
        self._on.owed(owed)

    def watch_disk(self, folder: Path) -> None:
        """Show how much room the file system of the folder has."""
        self._on.free(lambda: disk_usage(folder).free)

    def wrote(self, seconds: float) -> None:
        """Facts took so long to become durable."""
        self._on.writes.observe(seconds)

    def _part(self, fact: OfRun) -> None:
        match fact:
            case PipelineRun():
                self._run(fact)
            case StepRecord():
                self._step(fact)
            case CompensationRecord():
                self._compensation(fact)
            case CredentialLease():
                self._lease(fact)
            case Checkpoint():
                self._question(fact)
            case Answer():
                pass  # what it brings about is counted when it is

    def _run(self, run: PipelineRun) -> None:
        pipeline = self._pipeline(run.pipeline)
        was_live = run.id in self._live
        if run.status is RunStatus.SUSPENDED:
            if self._live.pop(run.id, None) is not None:
                self._on.in_progress.labels(pipeline).dec()
            return
        if not run.is_over:
            self._live[run.id] = run
            if not was_live:
                self._on.in_progress.labels(pipeline).inc()
            return
        if was_live:
            del self._live[run.id]
            self._on.in_progress.labels(pipeline).dec()
        self._on.runs.labels(pipeline, run.status.value).inc()
        if run.compensation is Compensation.PARTIAL:
            self._on.partial.labels(pipeline).inc()
        if run.ended is not None:
            self._on.run_time.labels(pipeline, run.status.value).observe(
                _seconds(run.accepted, run.ended)
            )

    def _step(self, step: StepRecord) -> None:
        node = self._node(step.node)
        if step.status is StepStatus.STARTED:
            self._on.attempts.labels(node).inc()
        elif step.ended is not None:
            self._on.step_time.labels(node, step.status.value).observe(
                _seconds(step.started, step.ended)
            )
            self._used(node, step.resources)

    def _compensation(self, undo: CompensationRecord) -> None:
        if undo.is_over:
            node = self._node(undo.node)
            self._on.undone.labels(node, undo.status.value).inc()
            self._used(node, undo.resources)

    def _used(self, node: str, resources: str | None) -> None:
        used = msgspec.json.decode(resources or "{}")
        for mode in ("user", "system"):
            self._on.cpu.labels(node, mode).inc(used.get(f"{mode}_ms", 0) / 1000)
        peak = used.get("max_rss") or 0
        if peak > self._peak.get(node, 0):
            self._peak[node] = peak
            self._on.rss.labels(node).set(peak)

    def _question(self, question: Checkpoint) -> None:
        key = question.run, question.node
        if question.is_open:
            self._asked[key] = question.asked
        elif self._asked.pop(key, None) is not None:
            self._on.answered.labels(question.status.value).inc()

    def _lease(self, lease: CredentialLease) -> None:
        key = lease.run, moves.place(lease)
        if lease.status is CredentialStatus.ISSUED:
            self._lent.add(key)
        elif lease.issued is not None:
            self._lent.discard(key)
            self._on.returned.labels(lease.status.value).inc()

    def _verdict(self, verdict: VerdictRecord) -> None:
        self._on.received.labels(verdict.kind.value).inc()
        self._on.waited.observe(_seconds(verdict.stored, verdict.at))
        self._on.ahead.set(_seconds(verdict.at, verdict.stored))
        if verdict.kind is VerdictKind.REFUSED:
            self._on.rejected.labels(self._reason(verdict.code)).inc()
        for decision in msgspec.json.decode(verdict.authorization):
            if "allowed" in decision:
                self.decision(allowed=decision["allowed"])

    def _oldest_age_s(self) -> float:
        oldest = min((run.accepted for run in self._live.values()), default=None)
        return 0.0 if oldest is None else _seconds(oldest, self._clock.now_ms())

    def _oldest_asked_s(self) -> float:
        oldest = min(self._asked.values(), default=None)
        return 0.0 if oldest is None else _seconds(oldest, self._clock.now_ms())


def _seconds(start_ms: int, end_ms: int) -> float:
    return max(0, end_ms - start_ms) / 1000
