"""A history that keeps every promise, and ways to tell it wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

from stratum_orchestrator.audit.observed import Observed
from stratum_state import journal, moves
from stratum_state.model import (
    CompensationRecord,
    Fact,
    JournalLine,
    PipelineRun,
    StepRecord,
    Trail,
    VerdictRecord,
)
from support.simulation.history import play

AT = 1_790_000_000_000


@dataclass(frozen=True, slots=True)
class Story:
    """Facts in the order in which they were recorded, and what else was seen."""

    facts: tuple[Fact, ...]
    around: Observed

    @property
    def run(self) -> str:
        return next(each.id for each in self.facts if isinstance(each, PipelineRun))

    def the(self, word: str) -> Fact:
        """The one fact of that name, such as `step.started b 1` or `run.completed`."""
        [found] = [each for each in self.facts if word_of(each) == word]
        return found

    def without(self, *words: str) -> Self:
        return self._telling([each for each in self.facts if word_of(each) not in words])

    def plus(self, *facts: Fact, before: str = "") -> Self:
        """The same with facts in front of another, or at the end."""
        at = self.facts.index(self.the(before)) if before else len(self.facts)
        return self._telling([*self.facts[:at], *facts, *self.facts[at:]])

    def moved(self, *words: str, before: str) -> Self:
        return self.without(*words).plus(*map(self.the, words), before=before)

    def changed(self, change: Callable[[Fact], Fact]) -> Self:
        return self._telling([change(each) for each in self.facts])

    def until(self, word: str) -> Self:
        """The same, up to a fact and with it."""
        return self._telling(self.facts[: self.facts.index(self.the(word)) + 1])

    def seen_as(self, **what: object) -> Self:
        """The same facts, with something else around them."""
        return replace(self, around=replace(self.around, **what))  # type: ignore[arg-type]

    def undone_effects(self, *nodes: str) -> Self:
        """The same, but nothing of these nodes ever reached the outside."""
        effects = self.around.effects or ()
        return self.seen_as(effects=[each for each in effects if each.node not in nodes])

    def observed(self) -> Observed:
        """The facts as trails, journals and verdicts."""
        chains: dict[str, dict[moves.Place, Fact]] = {}
        journals: dict[str, list[JournalLine]] = {}
        for fact in self.facts:
            chain, place = moves.chain(fact), moves.place(fact)
            rows = chains.setdefault(chain, {})
            lines = journals.setdefault(chain, [])
            lines.append(_line(rows.pop(place, None), fact, lines))
            rows[place] = fact
        verdicts = [each for each in self.facts if isinstance(each, VerdictRecord)]
        return replace(
            self.around,
            trails=[trail for rows in chains.values() if (trail := _trail(rows)) is not None],
            journals=journals,
            verdicts=verdicts,
        )

    def _telling(self, facts: Sequence[Fact]) -> Self:
        return replace(self, facts=tuple(facts))


@cache
def told(name: str) -> Story:
    """What was recorded and seen in a simulated history, with as little around as possible."""
    outcome = play(name)
    around = replace(outcome.observed, believed=(), announced=(), commits=(), heads=None)
    return Story(tuple(outcome.facts), around)


def word_of(fact: Fact) -> str:
    if isinstance(fact, StepRecord | CompensationRecord):
        return f"{moves.kind(fact)} {fact.node} {fact.attempt}"
    return moves.kind(fact)


def _line(before: Fact | None, after: Fact, lines: Sequence[JournalLine]) -> JournalLine:
    if before is None:
        said = {name: getattr(after, name) for name in moves.FIELDS[type(after)]}
        said = {name: value for name, value in said.items() if value is not None}
    else:
        said = {
            name: getattr(after, name)
            for name in moves.FIELDS[type(after)]
            if getattr(after, name) != getattr(before, name)
        }
    if isinstance(after, StepRecord | CompensationRecord):
        said |= {"stage": after.stage, "node": after.node, "attempt": after.attempt}
    head = journal.Head(lines[-1].n, lines[-1].hash) if lines else journal.EMPTY
    entry = journal.Entry(moves.chain(after), AT + len(lines), moves.kind(after), said)
    return journal.line(entry, head)


def _trail(rows: dict[moves.Place, Fact]) -> Trail | None:
    run = rows.get(("run",))
    if not isinstance(run, PipelineRun):
        return None
    return Trail(
        run=run,
        steps=tuple(each for each in rows.values() if isinstance(each, StepRecord)),
        compensations=tuple(
            each for each in rows.values() if isinstance(each, CompensationRecord)
        ),
    )
