"""Decisions as they go on record: the first at once, the same again summed up for a while.

Whoever asks again and again makes no more records than `DETAILED` in an hour, and a few of the
coarse ones that say how often what kind of thing was asked for. Pure.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Matter
from stratum_state import canonical
from stratum_state.decision import SEVERAL, Answer, DecisionRecord, decision_id

WINDOW_MS = 15 * 60 * 1000
"""For so long the same again is only counted."""
DETAILED = 50
"""Records of one principal in an hour that name what it asked for, allowed and denied apart."""
_HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision, and what it was about."""

    asker: Asker
    matter: Matter
    decision: Decision
    run: str = ""

    @property
    def answer(self) -> Answer:
        return Answer.ALLOWED if self.decision.allowed else Answer.DENIED


class _Key(NamedTuple):
    """What is the same again."""

    principal: str
    answer: Answer
    action: str
    pipeline: str
    run: str = ""
    policies: tuple[str, ...] = ()
    policy_set: str = ""
    grant: str = ""


@dataclass(slots=True)
class _Tally:
    """What came since the last record; the next one is due when the window is over."""

    until: int = 0
    count: int = 0
    first: int = 0
    last: int = 0
    latest: Entry | None = None


class Docket:
    """What is to go on record, and when. Times are Unix milliseconds."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._made = 0
        self._tallies: dict[_Key, _Tally] = {}
        self._spent: dict[tuple[str, Answer], list[int]] = {}

    def enter(self, entry: Entry, now: int) -> bool:
        """Count it in; whether it goes on record at once, and is not only counted."""
        key = _key(entry)
        tally = self._tallies.get(key)
        if (tally is None or not tally.count) and not self._charge(key, now):
            key = _Key(key.principal, key.answer, key.action, SEVERAL)
            entry = replace(entry, run="")
            tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally()
        tally.first = tally.first if tally.count else now
        tally.count += 1
        tally.last, tally.latest = now, entry
        return tally.count == 1 and tally.until <= now

    def due(self, now: int, *, all_of_it: bool = False) -> list[DecisionRecord]:
        """What is to be recorded by now; it is nobody else's any more."""
        found: list[DecisionRecord] = []
        for key, tally in list(self._tallies.items()):
            is_over = tally.until <= now or tally.until > now + WINDOW_MS  # the clock went back
            if not (is_over or all_of_it):
                continue
            if tally.count and tally.latest is not None:
                found.append(self._record(key, tally, tally.latest))
                self._tallies[key] = _Tally(until=now + WINDOW_MS)
            elif is_over:
                del self._tallies[key]
        self._spent = {
            whose: times for whose, times in self._spent.items() if times[-1] > now - _HOUR_MS
        }
        return found

    def next_due(self, now: int) -> int | None:
        """When something is due next; None when nothing has been entered."""
        return min((max(each.until, now) for each in self._tallies.values()), default=None)

    def _charge(self, key: _Key, now: int) -> bool:
        """Whether one more record of that principal may name what it asked for."""
        times = self._spent.setdefault((key.principal, key.answer), [])
        times[:] = [each for each in times if now - _HOUR_MS < each <= now]
        if len(times) >= DETAILED:
            return False
        times.append(now)
        return True

    def _record(self, key: _Key, tally: _Tally, entry: Entry) -> DecisionRecord:
        self._made += 1
        print_ = "\n".join((self._instance, str(self._made), *map(str, key)))
        return DecisionRecord(
            id=decision_id(tally.last, print_),
            kind=key.answer,
            principal=entry.asker.principal.name,
            key=key.principal,
            action=key.action,
            pipeline=key.pipeline,
            of_run=key.run,
            authorization=canonical.text(asdict(entry.decision)),
            instance=self._instance,
            count=tally.count,
            first=tally.first,
            last=tally.last,
        )


def _key(entry: Entry) -> _Key:
    decision = entry.decision
    return _Key(
        principal=entry.asker.principal.key,
        answer=entry.answer,
        action=entry.matter.action,
        pipeline=entry.matter.pipeline,
        run=entry.run,
        policies=decision.policies,
        policy_set=decision.policy_set,
        grant=decision.mandate.grant if decision.mandate else "",
    )


def told(entry: Entry) -> Iterator[tuple[str, object]]:
    """The facts of a log line."""
    yield "principal", entry.asker.principal.name
    yield "action", entry.matter.action
    yield "pipeline", entry.matter.pipeline
    yield "run", entry.run
    yield "policies", entry.decision.policies
    yield "policy_set", entry.decision.policy_set
    yield "why", entry.decision.reason
