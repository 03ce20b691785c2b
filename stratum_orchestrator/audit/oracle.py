"""The one oracle: every promise that can be judged from outside, over everything observed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from stratum_orchestrator.audit import bounds, effects, events, fold, lending, outcomes
from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.audit.observed import Observed, Violation
from stratum_orchestrator.audit.run import check_chronicle
from stratum_orchestrator.audit.seals import check_seals
from stratum_state.errors import BrokenChain


class _OfRun(Protocol):
    @property
    def run(self) -> str: ...


T = TypeVar("T", bound=_OfRun)


def check(observed: Observed) -> tuple[Violation, ...]:
    """Every violation, by invariant and run; none when all that was observed is well."""
    found = [*_check_whole(observed), *_check_runs(observed)]
    return tuple(sorted(found, key=lambda each: (int(each.invariant[1:]), each.run, each.n)))


def _check_whole(observed: Observed) -> Iterator[Violation]:
    yield from events.check_events(observed)
    yield from events.check_identities(observed)
    yield from events.check_signatures(observed)
    yield from events.check_refusals(observed)
    yield from effects.check_keys_between(observed.effects or ())
    yield from bounds.check_processes(observed)
    yield from bounds.check_contents(observed)
    yield from bounds.check_peaks(observed)
    yield from _check_epochs(observed)
    known = {trail.run.id for trail in observed.trails}
    for run in sorted({each.run for each in observed.effects or ()} - known):
        yield Violation("I6", run, "something ran for it, but it is not on record")
    for run in sorted({each.run for each in observed.announced} - known):
        yield Violation("I6", run, "it was announced, but is not on record")


def _check_epochs(observed: Observed) -> Iterator[Violation]:
    """I5: whoever lost a run writes nothing more to it."""
    newest: dict[str, int] = {}
    for commit in observed.commits:
        if commit.epoch < newest.setdefault(commit.run, commit.epoch):
            why = f"epoch {commit.epoch} wrote after epoch {newest[commit.run]} had"
            yield Violation("I5", commit.run, why)
        newest[commit.run] = max(newest[commit.run], commit.epoch)


def _check_runs(observed: Observed) -> Iterator[Violation]:
    happened = _by_run(observed.effects or ())
    announced = _by_run(observed.announced)
    believed = {trail.run.id: trail for trail in observed.believed}
    for trail in observed.trails:
        run = trail.run.id
        if observed.settled:
            yield from outcomes.check_rest(trail)
        yield from lending.check_alive(trail, observed.alive, settled=observed.settled)
        if run in believed:
            yield from effects.check_believed(trail, believed[run])
        plan = observed.plans.get(trail.run.plan)
        yield from bounds.check_times(trail, plan, observed.lasted_ms)
        yield from effects.check_keys(run, happened.get(run, ()))
        try:
            chronicle = Chronicle.of(run, observed.journals.get(run, ()))
        except BrokenChain as broken:
            yield Violation("I17", run, broken.why, broken.n)
            continue
        if observed.heads is not None:
            heads = observed.heads.get(run, ())
            yield from check_seals(chronicle, observed.journals[run], heads, observed.trusted)
        yield from check_chronicle(chronicle, fold.said_by(trail), plan)
        yield from effects.check_announced(chronicle, announced.get(run, ()))
        if observed.effects is not None:
            yield from effects.check_recorded(chronicle, happened.get(run, ()))
            yield from effects.check_way_back(chronicle, happened.get(run, ()))


def _by_run(things: Iterable[T]) -> Mapping[str, Sequence[T]]:
    found: dict[str, list[T]] = {}
    for each in things:
        found.setdefault(each.run, []).append(each)
    return found
