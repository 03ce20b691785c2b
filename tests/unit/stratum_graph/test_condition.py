import pytest

from stratum_graph.condition import holds

FACTS = {"event": {"branch": "main", "size": 3, "files": ["a", "b"]}, "inputs": {}}


def when(op: str, path: str, value: object = None) -> dict[str, object]:
    return {"op": op, "path": path, "value": value}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (when("eq", "event.branch", "main"), True),
        (when("ne", "event.branch", "main"), False),
        (when("eq", "event.nothing", None), False),
        (when("exists", "event.files.1"), True),
        (when("exists", "event.files.2"), False),
        (when("lt", "event.size", 4), True),
        (when("ge", "event.size", 4), False),
        (when("lt", "event.branch", 4), False),
        (when("in", "event.branch", ["main", "next"]), True),
        (when("matches", "event.branch", "^ma"), True),
        (when("matches", "event.size", "3"), False),
        ({"op": "all", "of": [when("exists", "event"), when("exists", "nope")]}, False),
        ({"op": "any", "of": [when("exists", "event"), when("exists", "nope")]}, True),
        ({"op": "not", "of": [when("exists", "nope")]}, True),
    ],
)
def test_conditions(condition: dict[str, object], *, expected: bool) -> None:
    assert holds(condition, FACTS) is expected


def test_a_hostile_pattern_is_judged_in_linear_time() -> None:
    assert not holds(
        when("matches", "event", "^(a+)+$") | {"path": "event.long"},
        {"event": {"long": "a" * 50_000 + "b"}},
    )
