"""What became of events: I1, I2, I16 and I22."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from stratum_orchestrator.audit.observed import Observed, Published, Violation
from stratum_state.model import PipelineRun, VerdictKind, VerdictRecord, identity

_ENVELOPE = frozenset({"unsigned", "bad-header", "bad-signature"})


def check_events(observed: Observed) -> Iterator[Violation]:
    """I1: each published event has one verdict, and what is accepted has its runs."""
    counts = Counter(each.sequence for each in observed.verdicts)
    for sequence in sorted(number for number, count in counts.items() if count > 1):
        yield Violation("I1", f"event {sequence}", f"it has {counts[sequence]} verdicts")
    runs = {trail.run.id for trail in observed.trails}
    for verdict in observed.verdicts:
        for lost in sorted(set(verdict.runs) - runs):
            why = f"its verdict names run {lost}, which is not on record"
            yield Violation("I1", f"event {verdict.sequence}", why)
        if verdict.kind is VerdictKind.ACCEPTED and not verdict.runs:
            yield Violation("I1", f"event {verdict.sequence}", "it was accepted without a run")
    if observed.settled:
        for each in observed.published:
            if each.sequence not in counts:
                yield Violation("I1", f"event {each.sequence}", "it has no verdict")


def check_identities(observed: Observed) -> Iterator[Violation]:
    """I2: one run for each event of a publisher and pipeline, named after it."""
    owners: dict[str, str] = {}
    for run in (trail.run for trail in observed.trails):
        key = identity(run.publisher, run.event_id, run.pipeline)
        if owners.setdefault(key, run.id) != run.id:
            why = f"event {run.event_id} of {run.publisher} has run {owners[key]} already"
            yield Violation("I2", run.id, why)
        elif run.identity != key or run.id[13:] != key[:12]:
            why = f"neither its identity nor its id comes of event {run.event_id}"
            yield Violation("I2", run.id, why)


def check_signatures(observed: Observed) -> Iterator[Violation]:
    """I16: what is not well signed runs nothing; what is, is not refused for its signature."""
    verdicts = {each.sequence: each for each in observed.verdicts}
    for event in observed.published:
        verdict = verdicts.get(event.sequence)
        if verdict is not None and (why := _misjudged(event, verdict)):
            yield Violation("I16", f"event {event.sequence}", why)


def check_refusals(observed: Observed) -> Iterator[Violation]:
    """I22: nothing comes of what was refused; every run comes of what was accepted."""
    if not observed.verdicts:
        return
    accepted: dict[str, VerdictRecord] = {}
    for verdict in sorted(observed.verdicts, key=lambda each: each.sequence):
        if verdict.kind is VerdictKind.ACCEPTED:
            accepted |= {run: verdict for run in verdict.runs if run not in accepted}
        elif verdict.kind is not VerdictKind.DUPLICATE and verdict.runs:
            why = f"it was {verdict.kind}, but names run {verdict.runs[0]}"
            yield Violation("I22", f"event {verdict.sequence}", why)
    yield from _check_origins({each.run.id: each.run for each in observed.trails}, accepted)


def _check_origins(
    known: Mapping[str, PipelineRun], accepted: Mapping[str, VerdictRecord]
) -> Iterator[Violation]:
    for run in known.values():
        if (first := _first(run, known)) is None:
            yield Violation("I22", run.id, "it is a retry of a run that is not on record")
        elif first is not run and _event(first) != _event(run):
            yield Violation("I22", run.id, f"it has not the event of {first.id}, its first run")
        elif why := _unaccounted(first, accepted):
            yield Violation("I22", run.id, why)


def _misjudged(event: Published, verdict: VerdictRecord) -> str:
    if not event.well_signed and verdict.kind is not VerdictKind.REFUSED:
        return f"it is not well signed, but was {verdict.kind}"
    if event.well_signed and verdict.code in _ENVELOPE:
        return f"it is well signed, but was refused: {verdict.code}"
    return ""


def _first(run: PipelineRun, known: Mapping[str, PipelineRun]) -> PipelineRun | None:
    """The run that the event itself began: an operator may have begun others of it."""
    here: PipelineRun | None = run
    for _ in range(len(known)):
        if here is None or not (before := _retry_of(here)):
            return here
        here = known.get(before)
    return None


def _retry_of(run: PipelineRun) -> str:
    try:
        said = json.loads(run.authorization)
    except ValueError:
        return ""
    return str(said.get("retry_of", "")) if isinstance(said, dict) else ""


def _event(run: PipelineRun) -> tuple[str, ...]:
    return run.publisher, run.pipeline, run.subject, run.data


def _unaccounted(run: PipelineRun, accepted: Mapping[str, VerdictRecord]) -> str:
    verdict = accepted.get(run.id)
    if verdict is None:
        return "no event was accepted for it"
    if (verdict.publisher, verdict.event_id) != (run.publisher, run.event_id):
        return f"it was accepted for event {verdict.event_id} of {verdict.publisher}"
    return ""
