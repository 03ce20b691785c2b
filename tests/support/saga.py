"""The whole saga on in-memory adapters: no server, no process, no waiting for real time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

import anyio
import anyio.lowlevel

from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Definition, Principal
from stratum_orchestrator.auth.nobody import NoBroker
from stratum_orchestrator.ports import CredentialBroker, Decision, Runner
from stratum_orchestrator.saga.compensation import Compensator
from stratum_orchestrator.saga.lending import Lender
from stratum_orchestrator.saga.live import LiveRuns, live_runs
from stratum_orchestrator.saga.pipeline import Lapsed, Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.sequel import Sequel, unheard
from stratum_orchestrator.saga.standings import Standings
from stratum_orchestrator.saga.step import StepRunner
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.memory import MemoryStore
from stratum_state.model import (
    CompensationRecord,
    Fact,
    PipelineRun,
    StepRecord,
    Trail,
    identity,
    run_id,
)
from stratum_state.tracker import StateTracker
from support import signing
from support.runner import ScriptedRunner

START_MS = 1_790_000_000_000


class TickingClock:
    """Each look is a millisecond later, so that order shows in the records."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms


class MemoryBlobs:
    """Content-addressed bytes in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = "sha256:" + sha256(data).hexdigest()
        self.kept[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        return self.kept[digest]

    def keeps(self, digest: str) -> bool:
        return digest in self.kept


class RecordingRoom:
    """Remembers how many more runs might have begun."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def set(self, limit: int) -> None:
        self.told.append(limit)


class Everyone:
    """Allows everything but the pipelines that are named."""

    def __init__(self, but: str = "") -> None:
        self._but = set(but.split())

    def decide(
        self, principal: Principal, action: str, pipeline: str, context: Mapping[str, object]
    ) -> Decision:
        del principal, action, context
        allowed = pipeline not in self._but
        return Decision(
            allowed=allowed,
            policies=("test.everyone",) if allowed else (),
            errors=(),
            policy_set="sha256:test",
            reason="permitted by test.everyone" if allowed else "no permit matched",
        )


_PERMIT = '{"allowed":true,"policies":["test.everyone"],"policy_set":"sha256:test"}'


@dataclass
class World:
    """Everything around the saga, which outlives a daemon that is killed."""

    definitions: Sequence[Definition]
    runner: Runner = field(default_factory=ScriptedRunner)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(signer=signing.SIGNER))
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    clock: TickingClock = field(default_factory=TickingClock)
    limit_s: float = 3600
    room: RecordingRoom = field(default_factory=RecordingRoom)
    capacity: int = 8
    lapsed: Lapsed = lambda _: None
    sequel: Sequel = unheard
    broker: CredentialBroker = field(default_factory=lambda: NoBroker("there is no provider"))
    lender: Lender = field(init=False)

    @property
    def generation(self) -> Generation:
        compiled = compile_graph(self.definitions)
        assert compiled.generation is not None, compiled.diagnostics
        return compiled.generation

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[tuple[StateTracker, LiveRuns]]:
        """One life of the daemon; leaving it lets the runs end."""
        tracker, rng = StateTracker(self.store), Random(1)  # noqa: S311 - jitter
        lender = self.lender = Lender(self.broker, tracker, self.clock)
        pipeline = Pipeline(
            StepRunner(self.runner, tracker, self.clock, rng, lender=lender),
            Compensator(self.runner, tracker, self.clock, rng, lender=lender),
            tracker,
            self.clock,
            limit_s=self.limit_s,
            lapsed=self.lapsed,
            sequel=self.sequel,
        )
        plans = Plans(self.blobs, lambda _: ())
        standings = Standings()
        standings.take(await tracker.standings())
        async with live_runs(
            pipeline,
            plans,
            self.room,
            capacity=self.capacity,
            grace_s=30,
            standings=standings,
        ) as live:
            yield tracker, live

    async def carry(self, subject: str = "events.go", data: str = "{}") -> Trail:
        """Accept one event and carry its run to the end."""
        async with self.daemon() as (tracker, live):
            run = await self.accept(tracker, live, subject, data)
        found = await self.store.trail(run)
        assert found is not None
        return found

    async def accept(
        self,
        tracker: StateTracker,
        live: LiveRuns,
        subject: str = "events.go",
        data: str = "{}",
    ) -> str:
        [plan] = self.generation.plans(subject)
        key = identity("UTEST", f"e{self.clock.now_ms()}", plan.pipeline)
        run = PipelineRun(
            id=run_id(self.clock.now_ms(), key),
            identity=key,
            pipeline=plan.pipeline,
            subject=subject,
            event_id="e1",
            event_time=START_MS,
            publisher="UTEST",
            principal="tester",
            data=data,
            plan=plan.digest,
            generation="sha256:g",
            authorization=_PERMIT,
            accepted=self.clock.now_ms(),
        )
        live.keep(plan)
        await tracker.record(run)
        live.start(Trail(run=run), plan)
        return run.id


def told(facts: Sequence[Fact]) -> list[str]:
    """The moves in a few words each: `lint started`, `undo lint done`, `run completed`."""
    words = []
    for fact in facts:
        if isinstance(fact, PipelineRun):
            words.append(f"run {fact.status}")
        elif isinstance(fact, StepRecord):
            words.append(f"{fact.node} {fact.status}")
        elif isinstance(fact, CompensationRecord):
            words.append(f"undo {fact.node} {fact.status}")
        elif isinstance(fact, Checkpoint):
            words.append(f"ask {fact.node} {fact.status}")
        elif isinstance(fact, Answer):
            words.append(f"{fact.person} {fact.status} {fact.node}")
    return words


async def until_started(runner: ScriptedRunner, node: str) -> None:
    """Wait until the node's process runs."""
    with anyio.fail_after(5):
        while (node, "do") not in runner.ran:
            await anyio.lowlevel.checkpoint()
