"""A new run of the event of one that has ended, by what is in force now."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import msgspec

from stratum_graph.model import Plan
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.saga.instruction import Instruction
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.rules import Rules, payload_problems
from stratum_orchestrator.saga.standings import refusal
from stratum_state import canonical
from stratum_state.errors import Taken
from stratum_state.model import PipelineRun, RunStatus, Trail, identity, run_id
from stratum_state.tracker import StateTracker

MOST = 1000
"""How many runs can be made of one event and pipeline."""
_MARK = "/retry/"
_PAGE = 16
_NUMBERED = re.compile(rf"{_MARK}\d+\Z")


class Name(msgspec.Struct, frozen=True):
    """What one more run of the event would be called."""

    event_id: str
    identity: str


def names(run: PipelineRun) -> Sequence[Name]:
    """The names of the further runs of the event, in their order.

    Their event ids are not that of the first run: what its steps did was undone under those
    keys, so whoever recognizes them must not take what comes now for a repetition.
    """
    first = _NUMBERED.sub("", run.event_id) if origin(run) else run.event_id
    numbered = (f"{first}{_MARK}{number}" for number in range(1, MOST + 1))
    return [Name(each, identity(run.publisher, each, run.pipeline)) for each in numbered]


def origin(run: PipelineRun) -> str | None:
    """The run of which this one is a retry."""
    said = msgspec.json.decode(run.authorization)
    found = said.get("retry_of") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None


def plan(run: PipelineRun, rules: Rules) -> Plan:
    """The plan of the run's event and pipeline now; Impossible when there is none."""
    data = msgspec.json.decode(run.data)
    plans = rules.generation.plans(run.subject, data)
    found = next((each for each in plans if each.pipeline == run.pipeline), None)
    if found is None:
        raise Impossible(
            "no-pipeline",
            f"{run.subject} does not open {run.pipeline} any more",
            f"see what it opens now: stratum explain {run.subject}",
        )
    if why := refusal(rules.standing(run.pipeline)):
        raise Impossible("disabled", why, f"stratum pipeline resume {run.pipeline}")
    if lack := rules.lacks(found):
        raise Impossible("cannot-run", f"{run.pipeline} cannot run: {lack}", "see the reason")
    if problems := payload_problems(found, data):
        raise Impossible(
            "bad-payload",
            f"the payload does not fit {run.pipeline} as it is now: {problems}",
            "publish a corrected event, or let the schema accept this one",
        )
    return found


def renewed(
    old: PipelineRun, name: Name, found: Plan, told: Instruction, generation: str
) -> PipelineRun:
    """The new run: whose event it is stays, who wanted it is part of its authorization."""
    said = {
        "pipeline": old.pipeline,
        "code": "accepted",
        "reason": told.reason,
        "allowed": True,
        "errors": [],
        "policies": list(told.policies),
        "policy_set": told.policy_set,
        "action": told.action,
        "by": told.by,
        "retry_of": old.id,
        **({"mandate": asdict(told.mandate)} if told.mandate else {}),
    }
    return replace(
        old,
        id=run_id(told.at, name.identity),
        identity=name.identity,
        event_id=name.event_id,
        plan=found.digest,
        generation=generation,
        authorization=canonical.text(said),
        accepted=told.at,
        status=RunStatus.ACCEPTED,
        started=None,
        ended=None,
        cause=None,
        compensation=None,
        waived=None,
        instruction=None,
        notice=None,
        published=None,
        trouble=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Begins new runs of old events. One call at a time: whoever calls sees to that."""

    tracker: StateTracker
    live: LiveRuns
    clock: Clock

    async def begin(
        self, old: PipelineRun, told: Instruction, rules: Rules, *, again: bool
    ) -> PipelineRun:
        """The new run, durable and under way; Impossible when there is to be none."""
        found = plan(old, rules)
        self.live.keep(found)
        while True:
            name = await self._next_name(old, again=again)
            new = renewed(old, name, found, told, rules.generation.digest)
            ahead = new
            if not self.live.standings.holds(new.pipeline):
                ahead = new.to(RunStatus.RUNNING, started=self.clock.now_ms())
            try:
                await self.tracker.record(new, ahead)
            except Taken:  # another instance was asked at the same time: look again
                continue
            self.live.start(Trail(run=ahead), found)
            return ahead

    async def _next_name(self, old: PipelineRun, *, again: bool) -> Name:
        """The first that has no run; Impossible when one that has makes another pointless."""
        latest: PipelineRun | None = old
        every = names(old)
        for start in range(0, len(every), _PAGE):
            page = every[start : start + _PAGE]
            held = await self.tracker.inbox([each.identity for each in page])
            for name in page:
                if name.identity not in held:
                    _check(latest or old, old, again=again)
                    return name
                trail = await self.tracker.find(held[name.identity])
                latest = trail.run if trail else None
        why = f"its event had {MOST} further runs"
        raise Impossible("too-many", why, "publish the event anew")


def _check(latest: PipelineRun, old: PipelineRun, *, again: bool) -> None:
    which = "it" if latest is old else f"its retry {latest.id}"
    if not latest.is_over:
        why = f"{which} is {latest.status}"
        raise Impossible("run-live", why, f"watch it: stratum run watch {latest.id}")
    if latest.status is RunStatus.COMPLETED and not again:
        raise Impossible(
            "completed",
            f"{which} completed: another run would do everything a second time",
            "ask with --again (`again` in the API) if that is what you want",
        )
