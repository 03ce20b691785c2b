"""The chain of a run: whole it verifies, altered it says where."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from stratum_state import canonical, journal
from stratum_state.errors import BrokenChain
from stratum_state.journal import EMPTY, ORIGIN, Entry, Head
from stratum_state.model import JournalLine


def chain(length: int) -> list[JournalLine]:
    lines: list[JournalLine] = []
    head = EMPTY
    for n in range(length):
        lines.append(journal.line(Entry("run1", 1000 + n, "step.started", {"node": n}), head))
        head = Head(lines[-1].n, lines[-1].hash)
    return lines


def test_a_chain_begins_at_its_origin() -> None:
    (first,) = chain(1)

    assert json.loads(first.body) == {
        "run": "run1",
        "n": 1,
        "at": 1000,
        "kind": "step.started",
        "prev": ORIGIN,
        "node": 0,
    }


def test_each_line_holds_the_hash_of_the_one_before() -> None:
    first, second = chain(2)

    assert json.loads(second.body)["prev"] == first.hash


def test_a_line_is_canonical_text() -> None:
    (line,) = chain(1)

    assert line.body == canonical.text(json.loads(line.body))


def test_bulk_appears_as_its_digest_only() -> None:
    outputs = '{"secret":"of the house"}'

    line = journal.line(Entry("run1", 1, "step.succeeded", {"outputs": outputs}), EMPTY)

    assert json.loads(line.body)["outputs"] == canonical.digest(outputs)
    assert "of the house" not in line.body


def test_a_whole_chain_verifies() -> None:
    journal.verify(chain(5))


def test_a_run_without_a_journal_verifies() -> None:
    journal.verify([])


@pytest.mark.parametrize("gone", [0, 2])
def test_a_missing_line_is_noticed(gone: int) -> None:
    lines = chain(4)
    del lines[gone]

    with pytest.raises(BrokenChain, match=f"run1 is broken at entry {gone + 1}"):
        journal.verify(lines)


def test_a_line_of_another_run_is_noticed() -> None:
    lines = chain(3)
    lines[1] = journal.line(Entry("run2", 1, "run.running", {}), Head(1, lines[0].hash))

    with pytest.raises(BrokenChain, match="belongs to run2"):
        journal.verify(lines)


def test_exchanged_lines_are_noticed() -> None:
    first, second, third = chain(3)

    with pytest.raises(BrokenChain, match="entry 3 is in its place"):
        journal.verify([first, third, second])


@given(st.data())
def test_one_altered_character_is_noticed(data: st.DataObject) -> None:
    lines = chain(4)
    at = data.draw(st.integers(0, len(lines) - 2))
    body = lines[at].body
    where = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda each: each != body[where]))
    altered = body[:where] + other + body[where + 1 :]

    with pytest.raises(BrokenChain):  # noqa: PT012 - reading or verifying, whichever sees it
        lines[at] = journal.read(altered)
        journal.verify(lines)


def test_a_line_whose_facts_are_altered_beside_its_text_is_noticed() -> None:
    lines = chain(2)
    lines[1] = replace(lines[1], kind="step.succeeded")

    with pytest.raises(BrokenChain, match="not what was recorded"):
        journal.verify(lines)
