"""Named places at which the daemon kills itself, if it is told to: at every durable boundary.

`STRATUM_CRASH_AT=step.started.durable:2` ends the process by SIGKILL when it passes the point
for the second time. The packages below the orchestrator take what they pass as callables, and
pass it to nobody unless a point is armed.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count

from stratum_state.model import Fact
from stratum_state.moves import kind

VARIABLE = "STRATUM_CRASH_AT"

_RECORDED = (
    *("verdict.accepted", "verdict.refused", "verdict.duplicate", "verdict.no-pipeline"),
    *("run.accepted", "run.running", "run.suspended", "run.completed"),
    *("run.compensating", "run.compensated", "run.abandoned"),
    *("step.started", "step.succeeded", "step.skipped", "step.failed"),
    *("step.timed-out", "step.cancelled", "step.lost"),
    *("compensation.started", "compensation.done"),
    *("compensation.failed", "compensation.waived"),
    *("checkpoint.open", "checkpoint.approved", "checkpoint.rejected"),
    *("checkpoint.timed-out", "checkpoint.withdrawn"),
    *("answer.approved", "answer.rejected"),
    *("credential.requested", "credential.issued", "credential.revoked"),
    *("credential.expired", "credential.void"),
)
_PROCESSES = ("step", "compensation")

POINTS: Mapping[str, str] = {
    "store.opened": "the store is open, its lease is ours",
    "broker.connected": "streams and consumer are there",
    "orphans.ended": "nothing runs any more of what a killed daemon left",
    "content.written": "a blob is on disk under a name of no meaning",
    "content.renamed": "it has its name, and the folder is not synced yet",
    "content.synced": "it is durable",
    "tree.written": "a folder of scripts is unpacked beside its place",
    "tree.renamed": "it is in its place",
    "generation.compiled": "the definitions make a graph",
    "generation.in-force": "events would be judged by it",
    "reload.scanned": "something differs from what is in force, and all of it was read",
    "reload.compiled": "it makes a graph with its policies",
    "reload.admitted": "the broker knows who may publish by it",
    "reload.swapped": "events are judged by it",
    "recovery.begun": "what is unfinished is known",
    "recovery.resumed": "one run goes on",
    "takeover.begun": "a lane without a living owner is known",
    "takeover.leased": "the lane is ours, and its former owner fenced",
    "takeover.adopted": "its runs are known, and none of them goes on",
    "door.open": "events are taken in from now on",
    "event.received": "the broker delivered it",
    "event.verified": "its envelope and payload are in order",
    "event.judged": "every pipeline that it opens has its decision",
    "plan.kept": "the plan of a run to come is durable",
    "run.departed": "an accepted run is carried",
    "answer.due": "the verdict is durable, and the broker does not know",
    "answer.given": "the broker knows",
    "stage.begun": "a stage is about to start its nodes",
    "stage.done": "all of its nodes have ended well",
    "way-back.begun": "a run is about to be undone",
    "credential.granted": "a lease exists, and its accessor is not on record",
    "credential.read": "the daemon has the values, and no process does",
    "output.validated": "what a step said keeps its promises",
    **{f"{each}.spawned": f"the process of a {each} exists" for each in _PROCESSES},
    **{f"{each}.fed": f"the process of a {each} may run" for each in _PROCESSES},
    **{f"{each}.heard": f"the process of a {each} is gone" for each in _PROCESSES},
    "notice.due": "the end of a run is about to be published",
    "notice.stored": "the stream has it, and that is not on record",
    **{f"{each}.before": f"`{each}` is about to be recorded" for each in _RECORDED},
    **{f"{each}.durable": f"`{each}` is durable, and nobody knows" for each in _RECORDED},
    "record.believed": "the cache believes what is durable",
    "record.told": "listeners have been told",
    "retention.lane": "a lane that nobody has is ours for the time of collecting",
    "retention.runs": "some old runs are gone, their verdicts and journals are not",
    "retention.verdicts": "some old verdicts are gone",
    "retention.journal": "some old journal is gone, an anchor has its place",
    "compaction.begun": "a snapshot of the store is beside it, and the store goes on",
    "compaction.copied": "the copy of the store is whole, and beside it",
    "compaction.vacant": "the store has given way, and the copy is not in its place",
    "compaction.replaced": "the copy is in its place, the old store not yet removed",
}
"""Each point, and what is the case there."""


class UnknownCrashPoint(ValueError):
    """What is asked for is no crash point."""

    def __init__(self, asked: str) -> None:
        near = get_close_matches(asked.partition(":")[0], POINTS, n=1)
        hint = f"did you mean {near[0]}:1?" if near else "docs/chaos.md names them all"
        super().__init__(f"{VARIABLE}={asked} names no point and number (like a.b:1): {hint}")


def _passed(_name: str) -> None:
    """Go on."""


def _recorded(_moment: str, _facts: Sequence[Fact]) -> None:
    """Go on."""


Passed = Callable[[str], None]
"""Is told the name of a point when it is passed."""


@dataclass(frozen=True, slots=True)
class CrashPoints:
    """What to call on passing a point; by default nothing comes of it."""

    passed: Passed = _passed
    recorded: Callable[[str, Sequence[Fact]], None] = _recorded
    """For what is recorded: the moment (`before`, `durable`, …) and the facts."""


UNARMED = CrashPoints()


def wanted(environment: Mapping[str, str]) -> CrashPoints:
    """The points as the environment arms them; UnknownCrashPoint when it names none."""
    deadly = environment.get(VARIABLE)
    return armed(deadly) if deadly else UNARMED


def armed(asked: str) -> CrashPoints:
    """The points, one of them deadly: `name:nth`. UnknownCrashPoint when there is no such."""
    name, _, nth = asked.partition(":")
    if name not in POINTS or not nth.isdecimal() or int(nth) < 1:
        raise UnknownCrashPoint(asked)
    passes = count(1)
    deadly = int(nth)

    def passed(here: str) -> None:
        if here == name and next(passes) == deadly:
            _die(asked)

    def recorded(moment: str, facts: Sequence[Fact]) -> None:
        passed(f"record.{moment}")
        for fact in facts:
            passed(f"{kind(fact)}.{moment}")

    return CrashPoints(passed, recorded)


def _die(asked: str) -> None:
    os.write(2, f"killed at crash point {asked}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
