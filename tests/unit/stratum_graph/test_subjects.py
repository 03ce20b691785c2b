import pytest
from hypothesis import given, strategies as st

from stratum_graph.subjects import SubjectTrie, covers, nearest

TOKENS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=4), st.booleans()
).map(lambda made: ".".join(made[0] + ([">"] if made[1] else [])))


def linear(pattern: str, subject: str) -> bool:
    tokens, parts = subject.split("."), pattern.split(".")
    for at, part in enumerate(parts):
        if part == ">":
            return len(tokens) > at
        if at >= len(tokens) or part not in ("*", tokens[at]):
            return False
    return len(tokens) == len(parts)


@given(st.lists(PATTERNS, max_size=8), SUBJECTS)
def test_the_trie_matches_what_a_scan_of_every_pattern_matches(
    patterns: list[str], subject: str
) -> None:
    trie = SubjectTrie((pattern, number) for number, pattern in enumerate(patterns))

    found = trie.match(subject)

    assert found == {n for n, pattern in enumerate(patterns) if linear(pattern, subject)}


@given(PATTERNS, PATTERNS, SUBJECTS)
def test_a_covering_pattern_matches_whatever_the_covered_one_does(
    wide: str, narrow: str, subject: str
) -> None:
    if covers(wide, narrow) and linear(narrow, subject):
        assert linear(wide, subject)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("events.>", "events.a.b", True),
        ("events.>", "events", False),
        ("events.*", "events.>", False),
        ("events.*", "events.*", True),
        ("events.a", "events.*", False),
        (">", "a.b", True),
    ],
)
def test_covering(wide: str, narrow: str, *, expected: bool) -> None:
    assert covers(wide, narrow) is expected


@pytest.mark.parametrize(
    ("subject", "meant"),
    [
        ("events.orders.place", "events.orders.placed"),
        ("events.crate.serde.pushd", "events.crate.*.pushed"),
        ("events.nothing", None),
        ("other", None),
    ],
)
def test_a_mistyped_subject_leads_to_the_pattern_that_was_meant(
    subject: str, meant: str | None
) -> None:
    assert nearest(subject, ["events.orders.placed", "events.crate.*.pushed"]) == meant
