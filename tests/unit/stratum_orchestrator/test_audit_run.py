"""No byte of a journal and no field of a record can be altered unnoticed."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import pytest
from hypothesis import given, settings, strategies as st

from stratum_orchestrator.audit.fold import said_by
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.audit.run import audit_run
from stratum_state import moves
from stratum_state.model import CompensationRecord, JournalLine, PipelineRun, StepRecord, Trail
from support.story import told

OBSERVED = told("order").observed()
[TRAIL] = OBSERVED.trails
RUN = TRAIL.run.id
LINES = tuple(OBSERVED.journals[RUN])
PLAN = OBSERVED.plans[TRAIL.run.plan]
RECORDS = (TRAIL.run, *TRAIL.steps, *TRAIL.compensations)


def audit(lines: Sequence[JournalLine] = LINES, trail: Trail = TRAIL) -> tuple[Violation, ...]:
    return audit_run(RUN, lines, said_by(trail), PLAN)


def with_line(at: int, line: JournalLine) -> list[JournalLine]:
    return [*LINES[:at], line, *LINES[at + 1 :]]


def test_an_unaltered_run_passes() -> None:
    assert audit() == ()


@settings(max_examples=40)
@given(st.data())
def test_any_changed_byte_of_any_line_is_found_where_it_is(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(LINES) - 1))
    name = data.draw(st.sampled_from(["body", "hash", "kind", "run"]))
    text = getattr(LINES[at], name)
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.characters(codec="latin-1").filter(lambda each: each != text[place]))
    altered = replace(LINES[at], **{name: text[:place] + byte + text[place + 1 :]})

    found = audit(with_line(at, altered))

    assert [(each.invariant, each.run, each.n) for each in found] == [("I17", RUN, at + 1)]


@settings(max_examples=40)
@given(at=st.integers(0, len(LINES) - 1), name=st.sampled_from(["n", "at"]), by=st.integers())
def test_any_changed_number_of_any_line_is_found_where_it_is(
    at: int, name: str, by: int
) -> None:
    altered = replace(LINES[at], **{name: getattr(LINES[at], name) + (by or 1)})

    found = audit(with_line(at, altered))

    assert [(each.invariant, each.n) for each in found] == [("I17", at + 1)]


@given(at=st.integers(0, len(LINES) - 2))
def test_a_line_that_is_missing_is_found_where_it_was(at: int) -> None:
    found = audit([*LINES[:at], *LINES[at + 1 :]])

    assert [(each.invariant, each.n) for each in found] == [("I17", at + 1)]


@pytest.mark.parametrize("gone", [1, 2])
def test_an_end_that_was_cut_off_does_not_fit_the_record(gone: int) -> None:
    assert "I17" in {each.invariant for each in audit(LINES[:-gone])}


def test_a_run_without_a_journal_does_not_pass() -> None:
    assert [each.invariant for each in audit(())] == ["I17"]


@settings(max_examples=60)
@given(st.data())
def test_any_changed_field_of_the_record_is_found(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(RECORDS) - 1))
    names = set(moves.FIELDS[type(RECORDS[at])]) - {"run", "id"}
    name = data.draw(st.sampled_from(sorted(names)))
    value = other_than(getattr(RECORDS[at], name), data)

    found = audit(trail=trail_of(at, replace(RECORDS[at], **{name: value})))

    assert {(each.invariant, each.run) for each in found} == {("I17", RUN)}
    assert any(each.n for each in found)


@given(at=st.integers(1, len(RECORDS) - 1))
def test_a_record_that_is_gone_is_found(at: int) -> None:
    found = audit(trail=trail_of(at, None))

    assert [(each.invariant, bool(each.n)) for each in found] == [("I17", True)]


def other_than(value: object, data: st.DataObject) -> object:
    if isinstance(value, StrEnum):
        return data.draw(st.sampled_from([each for each in type(value) if each is not value]))
    if isinstance(value, str):
        return value + data.draw(st.text(min_size=1))
    return data.draw(st.integers().filter(lambda each: each != value))


def trail_of(at: int, altered: PipelineRun | StepRecord | CompensationRecord | None) -> Trail:
    records = [altered if place == at else each for place, each in enumerate(RECORDS)]
    [run] = [each for each in records if isinstance(each, PipelineRun)]
    return Trail(
        run=run,
        steps=tuple(each for each in records if isinstance(each, StepRecord)),
        compensations=tuple(each for each in records if isinstance(each, CompensationRecord)),
    )
