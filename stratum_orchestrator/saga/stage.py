"""One stage: its nodes run together; the first to fail stops the others at once.

Nodes that people are asked about begin when these have approved. The stage is left when nothing
else of it runs: it can be entered again, and only what has not been done is done then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import anyio
from anyio.abc import TaskGroup

from stratum_graph.model import PlannedNode
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga import inquiry
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.journey import Journey
from stratum_orchestrator.saga.step import StepRunner, is_worth_another, skips
from stratum_state.checkpoint import Checkpoint
from stratum_state.model import StepRecord, StepStatus

_GOOD = (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

Attempts = Mapping[str, Sequence[StepRecord]]
"""Attempts on record, in order, by node."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """The last attempts of the nodes that succeeded or were skipped, and what failed, if so."""

    good: tuple[StepRecord, ...]
    failed: StepRecord | None = None
    waiting: tuple[str, ...] = ()
    """The nodes that have not begun, since nobody has answered about them."""


@dataclass(slots=True)
class _Work:
    """A stage under way."""

    context: RunContext
    steps: StepRunner
    journey: Journey
    before: Attempts
    ended: list[StepRecord] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    running: int = 0
    idle: anyio.Event = field(default_factory=anyio.Event)
    """Set when nothing runs any more."""

    async def run(self, planned: PlannedNode) -> None:
        """Run a node to its end."""
        name = planned.definition.node.name
        last = await self.steps.run(
            planned, self.context, self.journey.halt, self.before.get(name, ())
        )
        self.ended.append(last)
        if last.status not in _GOOD:
            self.journey.halt.because(cause_of(last))
        self.running -= 1
        if not self.running:
            self.idle.set()

    async def wait(self, planned: PlannedNode, tasks: TaskGroup) -> None:
        """Begin the node when people have approved."""
        name = planned.definition.node.name
        await self.journey.inquiry.settled(name)
        self.waiting.discard(name)
        self.running += 1
        tasks.start_soon(self.run, planned)

    async def run_all(self, nodes: Sequence[PlannedNode]) -> None:
        """Run the nodes together, those that wait as soon as they do not."""
        ready = [each for each in nodes if each.definition.node.name not in self.waiting]
        waiting = [each for each in nodes if each not in ready]
        self.running = len(ready)
        if not ready:
            return
        async with anyio.create_task_group() as tasks:
            for planned in ready:
                tasks.start_soon(self.run, planned)
            if waiting:
                async with anyio.create_task_group() as patient:
                    for planned in waiting:
                        patient.start_soon(self.wait, planned, tasks)
                    await self.idle.wait()
                    patient.cancel_scope.cancel()


async def run_stage(
    nodes: Sequence[PlannedNode],
    context: RunContext,
    steps: StepRunner,
    journey: Journey,
    clock: Clock,
) -> StageOutcome:
    """Run the nodes together; a failure already on record starts none of them again."""
    before = by_node(journey.steps_before)
    if (failed := _failed_before(nodes, before)) is not None:
        return StageOutcome((), failed)
    work = _Work(context, steps, journey, before)
    if questions := [*_questions(nodes, context, before, clock.now_ms())]:
        await journey.ask(questions)
        work.waiting = {each.node for each in questions if journey.inquiry.is_open(each.node)}
    await work.run_all(nodes)
    good = tuple(step for step in work.ended if step.status in _GOOD)
    failed = next((step for step in work.ended if step not in good), None)
    return StageOutcome(good, failed, tuple(sorted(work.waiting)))


def by_node(steps: Iterable[StepRecord]) -> Attempts:
    """Attempts in order, by node."""
    ordered = sorted(steps, key=lambda step: (step.node, step.attempt))
    return {name: list(group) for name, group in groupby(ordered, key=lambda step: step.node)}


def cause_of(step: StepRecord) -> str:
    """Why the run turns back, in one sentence."""
    return f"{step.node} {step.status}: {step.error or 'no reason given'}"


def _questions(
    nodes: Sequence[PlannedNode], context: RunContext, before: Attempts, now_ms: int
) -> Iterable[Checkpoint]:
    """What is asked before nodes begin: those that are skipped, or have begun, ask nothing."""
    for planned in nodes:
        node = planned.definition.node
        ask = node.question
        if ask is not None and node.name not in before and not skips(node, context):
            yield inquiry.question(planned, ask, context, now_ms)


def _failed_before(nodes: Sequence[PlannedNode], before: Attempts) -> StepRecord | None:
    for planned in nodes:
        node = planned.definition.node
        attempts = before.get(node.name, ())
        last = attempts[-1] if attempts else None
        if last is None or not last.is_over or last.status in _GOOD:
            continue
        if not is_worth_another(node, attempts):
            return last
    return None
