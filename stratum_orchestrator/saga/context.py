"""What a run knows so far: its event, and the value of every capability produced."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from stratum_graph.model import ActionNode
from stratum_orchestrator.clock import written
from stratum_state.model import PipelineRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """Frozen: each success makes the next one."""

    run: PipelineRun
    data: object
    """The event's payload, decoded."""
    values: Mapping[str, object]

    def plus(self, outputs: Mapping[str, object]) -> Self:
        return replace(self, values={**self.values, **outputs})

    def inputs(self, node: ActionNode) -> Mapping[str, object]:
        """The consumed capabilities' values; absent ones are those of skipped producers."""
        return {name: self.values[name] for name in node.consumes if name in self.values}

    def facts(self, node: ActionNode) -> Mapping[str, object]:
        """What conditions and references speak about: `event.…` and `inputs.…`."""
        return {"event": self.data, "inputs": dict(self.inputs(node))}

    def event(self) -> Mapping[str, object]:
        """The event as scripts see it."""
        return {
            "id": self.run.event_id,
            "subject": self.run.subject,
            "time": written(self.run.event_time),
            "publisher": self.run.publisher,
            "data": self.data,
        }
