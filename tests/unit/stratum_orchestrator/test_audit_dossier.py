"""Everything on record of a run as one text: not one byte of it can change unnoticed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from platform_nats.nkey import UserKey
from stratum_orchestrator.audit import dossier
from stratum_orchestrator.audit.observed import Violation
from stratum_orchestrator.audit.run import audit_evidence
from stratum_state.evidence import Evidence
from stratum_state.head import Signer
from support import signing
from support.graph import node
from support.runner import ScriptedRunner
from support.saga import World

SLICES = 8
ALONE = frozenset({signing.PUBLIC})


@cache
def a_trail() -> tuple[str, Evidence]:
    """A run in which one node succeeded, one failed, and the first was undone."""
    graph = [node("reserve", gives="reserved", on="events.go"), node("ship", needs="reserved")]
    around = World(graph, ScriptedRunner(outputs={"reserve": {"reserved": 1}}, fails={"ship"}))

    async def carry() -> tuple[str, Evidence]:
        run = (await around.carry()).run.id
        evidence = await around.store.evidence(run)
        assert evidence is not None
        return run, evidence

    return anyio.run(carry)


@cache
def a_text() -> str:
    return dossier.write(*a_trail())


def audited(text: str, trusted: frozenset[str] = ALONE) -> Sequence[Violation]:
    found = dossier.read(text)
    return found.violations or audit_evidence(found.run, found.evidence, trusted)


def of(evidence: Evidence) -> Sequence[Violation]:
    return audited(dossier.write(a_trail()[0], evidence))


def are_named(found: Sequence[Violation]) -> bool:
    """Whether they say in which run, and where there."""
    placed = any(each.n or "of the file" in each.detail for each in found)
    return placed and {each.run for each in found} == {a_trail()[0]}


def test_an_unaltered_trail_passes_and_is_read_back_whole() -> None:
    found = dossier.read(a_text())

    assert (found.run, found.evidence) == a_trail()
    assert audited(a_text()) == ()


@pytest.mark.parametrize("part", range(SLICES))
def test_every_single_byte_that_changes_is_found_and_named(part: int) -> None:
    raw = a_text().encode()

    missed = []
    for at in range(part, len(raw), SLICES):
        altered = bytearray(raw)
        altered[at] ^= 1 << (at // SLICES % 7)
        found = audited(altered.decode("utf-8", "surrogateescape"))
        if not are_named(found):
            missed.append((at, raw[at - 20 : at + 20], found))

    assert missed == []


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_a_byte_becomes_it_is_found(data: st.DataObject) -> None:
    raw = bytearray(a_text().encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))

    found = audited(raw.decode("utf-8", "surrogateescape"))

    assert are_named(found)


@settings(max_examples=100)
@given(data=st.data())
def test_a_changed_byte_of_an_entry_names_that_entry(data: st.DataObject) -> None:
    lines = a_text().split("\n")
    n = data.draw(st.integers(1, len(a_trail()[1].journal)))
    line = lines[n]
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.characters(codec="ascii").filter(lambda x: x not in {line[at], "\n"}))
    lines[n] = line[:at] + byte + line[at + 1 :]

    found = audited("\n".join(lines))

    assert n in {each.n for each in found}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: replace(x, heads=()), "nobody has signed"),
        (lambda x: replace(x, journal=x.journal[:-1]), "but the journal has"),
        (lambda x: replace(x, rows=x.rows[:-1]), "not on record"),
        (lambda x: replace(x, faults=("row run:1 is astray",)), "astray"),
    ],
)
def test_what_is_missing_is_found(change: Callable[[Evidence], Evidence], said: str) -> None:
    found = of(change(a_trail()[1]))

    assert any(said in each.detail for each in found)


def test_a_trail_that_somebody_else_signed_is_not_believed() -> None:
    run, evidence = a_trail()
    forger = UserKey.generate()
    [head] = evidence.heads
    theirs = Signer(forger.public, "here", forger.sign).signed(run, head.n, head.hash, head.at)

    found = of(replace(evidence, heads=(theirs,)))

    assert [(each.invariant, each.n) for each in found] == [("I23", head.n)]
    assert forger.public in found[0].detail


def test_a_signature_of_another_run_does_not_fit() -> None:
    _, evidence = a_trail()
    [head] = evidence.heads
    other = signing.SIGNER.signed("0" * 25, head.n, head.hash, head.at)

    found = of(replace(evidence, heads=(replace(head, signature=other.signature),)))

    assert any("does not fit" in each.detail for each in found)


def test_a_rewritten_chain_does_not_fit_what_was_signed() -> None:
    run, evidence = a_trail()
    raised = replace(evidence.heads[0], hash="0" * 64)

    found = of(replace(evidence, heads=(raised,)))

    assert {each.invariant for each in found} == {"I23"}
    assert {each.run for each in found} == {run}


@pytest.mark.parametrize("text", ["", "{}", "nonsense", "\n\n\n", '{"rows":[]}', "[" * 100_000])
def test_any_other_text_is_refused_with_words(text: str) -> None:
    assert audited(text)
