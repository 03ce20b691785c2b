"""What an operator tells a run to do: who says it, why, and by which policies' leave."""

from collections.abc import Mapping
from typing import Literal, Self

import msgspec

from stratum_orchestrator.ports import Decision, Mandate
from stratum_orchestrator.saga.delegation import Asker
from stratum_state import canonical
from stratum_state.model import PipelineRun

Action = Literal["abandon", "approve", "cancel", "reject", "retry", "waive"]
"""The words of the policies, but `reject`: who may `approve` may do that."""

_DONE: Mapping[Action, str] = {
    "abandon": "abandoned",
    "approve": "approved",
    "cancel": "cancelled",
    "reject": "rejected",
    "retry": "retried",
    "waive": "waived",
}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants something of a run, and why."""

    by: str
    reason: str
    asker: Asker | None = None
    """Who asks; None is whoever holds the daemon's home."""


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a wish."""

    run: str
    """The run that it is about; of an ended one that is retried, the new run."""
    detail: str
    """A sentence for a reader."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one instance tells another about an instruction that it was passed."""

    detail: str = ""
    """What was done."""
    code: str = ""
    """Why nothing was done: a short stable word, empty when it was."""
    why: str = ""
    remedy: str = ""

    def text(self) -> str:
        """JSON text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """The outcome of that text; ValueError when it is none."""
        return msgspec.json.decode(text, type=cls)


class Instruction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wish that the policies allow, as it goes on record."""

    action: Action
    by: str
    reason: str
    at: int
    """When it was allowed, Unix milliseconds."""
    policies: tuple[str, ...]
    """Ids of those that allowed it."""
    policy_set: str
    """Digest."""
    node: str | None = None
    """Whose compensation, or question, is meant; None means the run."""
    attempts: int = 0
    """Of that compensation, on record when it was asked for."""
    mandate: Mandate | None = None
    """On whose behalf, when an agent asked for it."""
    person: str = ""
    """Of an answer: whose it is, the name of the principal."""
    key: str = ""
    """And that one's public key."""

    @classmethod
    def of(cls, action: Action, wish: Wish, decision: Decision, at: int) -> Self:
        return cls(
            action=action,
            by=wish.by,
            reason=wish.reason,
            at=at,
            policies=decision.policies,
            policy_set=decision.policy_set,
            mandate=decision.mandate,
        )

    @property
    def cause(self) -> str:
        """Why the run is where it is, in one sentence."""
        return f"{_DONE[self.action]} by {self.by}: {self.reason}"

    def text(self) -> str:
        """Canonical JSON text."""
        return canonical.text(msgspec.to_builtins(self))


def latest(run: PipelineRun) -> Instruction | None:
    """The latest that the run was told."""
    return None if run.instruction is None else read(run.instruction)


def read(text: str) -> Instruction:
    """The instruction of that text; ValueError when it is none."""
    return msgspec.json.decode(text, type=Instruction)


def granted(run: PipelineRun, node: str) -> int:
    """How many attempts at undoing the node do not count, as an operator wants new ones."""
    told = latest(run)
    if told is None or told.action != "retry" or told.node != node:
        return 0
    return told.attempts


def is_to_be_abandoned(run: PipelineRun) -> bool:
    """Whether an operator gave it up, and it only has to be recorded."""
    told = latest(run)
    return told is not None and told.action == "abandon" and not run.is_over
