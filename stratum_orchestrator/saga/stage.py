"""One stage: its nodes run together; the first to fail stops the others at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio

from stratum_graph.model import PlannedNode
from stratum_orchestrator.saga.context import RunContext
from stratum_orchestrator.saga.halt import Halt
from stratum_orchestrator.saga.step import StepRunner, is_worth_another
from stratum_state.model import StepRecord, StepStatus

_GOOD = (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

Attempts = Mapping[str, Sequence[StepRecord]]
"""Attempts on record, in order, by node."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """The last attempts of the nodes that succeeded or were skipped, and what failed, if so."""

    good: tuple[StepRecord, ...]
    failed: StepRecord | None = None


async def run_stage(
    nodes: Sequence[PlannedNode],
    context: RunContext,
    steps: StepRunner,
    halt: Halt,
    before: Attempts,
) -> StageOutcome:
    """Run the nodes together; a failure already on record starts none of them again."""
    if (failed := _failed_before(nodes, before)) is not None:
        return StageOutcome((), failed)
    ended: list[StepRecord] = []

    async def run_one(planned: PlannedNode) -> None:
        name = planned.definition.node.name
        last = await steps.run(planned, context, halt, before.get(name, ()))
        ended.append(last)
        if last.status not in _GOOD:
            halt.because(cause_of(last))

    async with anyio.create_task_group() as tasks:
        for planned in nodes:
            tasks.start_soon(run_one, planned)
    good = tuple(step for step in ended if step.status in _GOOD)
    return StageOutcome(good, next((step for step in ended if step not in good), None))


def cause_of(step: StepRecord) -> str:
    """Why the run turns back, in one sentence."""
    return f"{step.node} {step.status}: {step.error or 'no reason given'}"


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
