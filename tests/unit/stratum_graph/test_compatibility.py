"""A proof that a consumer accepts whatever its producer may give is never wrong."""

import pytest
from hypothesis import given, settings, strategies as st

from stratum_graph.compatibility import misfits
from stratum_graph.schemas import compile_schema

Schema = dict[str, object] | bool
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def may(produced: object, consumed: object) -> bool:
    return not misfits(produced, consumed, path="x")  # type: ignore[arg-type]


# ---------------------------------------------------------------- what is known to fit, or not

FITS = [
    ({"type": "string", "format": "date-time"}, TEXT),
    ({"type": "string", "title": "a", "minLength": 2}, {"type": "string", "minLength": 1}),
    ({"type": "integer", "exclusiveMinimum": 3}, {"minimum": 3}),
    ({"type": "integer", "minimum": 4}, {"exclusiveMinimum": 3}),
    ({"type": "integer", "multipleOf": 6}, {"multipleOf": 3}),
    (WHOLE, {"type": "number", "multipleOf": 1}),
    (WHOLE, {"minLength": 3}),
    ({"type": ["string", "null"]}, {"type": ["null", "string", "boolean"]}),
    ({"type": "object", "additionalProperties": WHOLE}, {"additionalProperties": WHOLE}),
    (
        {"type": "object", "properties": {"a": WHOLE}, "additionalProperties": False},
        {"type": "object", "additionalProperties": WHOLE},
    ),
    ({"properties": {"a": True}}, {"properties": {"a": {}}}),
    ({"type": "array", "items": WHOLE, "uniqueItems": True}, {"uniqueItems": True}),
    ({"type": "array", "prefixItems": [WHOLE], "items": False}, {"items": WHOLE}),
    ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [WHOLE, TEXT]}),
    ({"oneOf": [TEXT, WHOLE]}, {"anyOf": [TEXT, WHOLE]}),
    ({"oneOf": [TEXT, WHOLE], "minLength": 1}, {"oneOf": [TEXT, WHOLE]}),
    ({"anyOf": [{"minLength": 2}, {"pattern": "a"}], "type": "string"}, TEXT),
    ({"allOf": [TEXT, {"minLength": 3}]}, {"minLength": 2}),
    (TEXT, {"allOf": [TEXT, {"type": ["string", "null"]}]}),
    ({"enum": [1, 2, "x"], "type": "integer"}, WHOLE),
    (False, TEXT),
    ({"not": TEXT, "type": "integer"}, {"not": TEXT}),
]

MISFITS = [
    (TEXT, {"type": "string", "format": "date-time"}),
    (WHOLE, {"exclusiveMinimum": 3}),
    ({"type": "integer", "minimum": 3}, {"exclusiveMinimum": 3}),
    ({"type": "integer", "maximum": 3}, {"exclusiveMaximum": 3}),
    ({"type": "number"}, {"multipleOf": 1}),
    ({"type": ["string", "null"]}, TEXT),
    ({"const": 1}, {"const": True}),
    ({"type": "object"}, {"properties": {"a": WHOLE}}),
    ({"type": "object", "additionalProperties": TEXT}, {"properties": {"a": WHOLE}}),
    ({"type": "object"}, {"additionalProperties": WHOLE}),
    ({"properties": {"a": True}}, {"properties": {"a": WHOLE}}),
    ({"type": "object"}, {"minProperties": 1}),
    ({"patternProperties": {"^a": TEXT}}, {"properties": {"ab": WHOLE}}),
    ({"properties": {"ab": TEXT}}, {"patternProperties": {"^a": WHOLE}}),
    ({"type": "array"}, {"uniqueItems": True}),
    ({"type": "array", "items": WHOLE}, {"prefixItems": [TEXT]}),
    ({"type": "array"}, {"items": WHOLE}),
    ({}, {"items": WHOLE}),
    (WHOLE, {"oneOf": [WHOLE, {"type": "number"}]}),
    (WHOLE, {"allOf": [WHOLE, {"minimum": 0}]}),
    (WHOLE, {"anyOf": [WHOLE], "minimum": 0}),
    (TEXT, {"not": {"minLength": 3}}),
    (TEXT, False),
    ({}, TEXT),
]


@pytest.mark.parametrize(("produced", "consumed"), FITS, ids=repr)
def test_what_always_fits_is_proved(produced: Schema, consumed: Schema) -> None:
    assert misfits(produced, consumed, path="x") == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(("produced", "consumed"), MISFITS, ids=repr)
def test_what_may_not_fit_is_said(produced: Schema, consumed: Schema) -> None:
    assert not may(produced, consumed)


def test_the_place_below_the_value_is_said() -> None:
    produced = {"type": "object", "properties": {"a": {"type": "array", "items": TEXT}}}
    consumed = {"properties": {"a": {"items": WHOLE}}}

    assert misfits(produced, consumed, path="tree") == (
        "tree.a[]: the producer gives string, the consumer wants integer",
    )


def test_choices_within_choices_are_judged_at_once() -> None:
    produced: dict[str, object] = {"type": "integer", "minimum": 1}
    consumed: dict[str, object] = {"type": "integer"}
    for number in range(30):
        produced = {"anyOf": [produced, {"type": "array", "minItems": number}], "title": "p"}
        consumed = {"anyOf": [{"type": "array"}, {"const": number}, consumed]}

    assert may(produced, consumed)


# ---------------------------------------------------------------- and whatever else there is

VALUES: list[object] = [
    None, True, False, 0, 1, 2, 3, -1, 1.5, "", "a", "ab", "b", "2026-01-02T03:04:05Z",
    [], [0], [1, 1], ["a"], [0, "a"], ["a", 0, None], [[0]],
    {}, {"a": 0}, {"a": "a"}, {"b": 1}, {"a": 0, "b": "ab"}, {"ab": None}, {"a": {"a": 1}},
]  # fmt: skip

numbers = st.integers(-1, 3)
sizes = st.integers(0, 2)
names = st.sampled_from(["a", "b", "ab"])


def keywords(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    kinds = st.sampled_from(
        ["null", "boolean", "number", "integer", "string", "array", "object"]
    )
    some = st.lists(inner, min_size=1, max_size=3)
    known: dict[str, st.SearchStrategy[object]] = {
        "type": st.one_of(kinds, st.lists(kinds, min_size=1, max_size=3, unique=True)),
        "const": st.sampled_from(VALUES),
        "enum": st.lists(st.sampled_from(VALUES), min_size=1, max_size=3),
        "format": st.just("date-time"),
        "pattern": st.sampled_from(["a", "^b"]),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "uniqueItems": st.booleans(),
        "required": st.lists(names, max_size=2, unique=True),
        "properties": st.dictionaries(names, inner, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
        "additionalProperties": inner,
        "items": inner,
        "prefixItems": some,
        "anyOf": some,
        "oneOf": some,
        "allOf": some,
        "not": inner,
        **dict.fromkeys(
            ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], numbers
        ),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems"], sizes),
        **dict.fromkeys(["minProperties", "maxProperties"], sizes),
    }
    return st.fixed_dictionaries({}, optional=known).map(_few)  # type: ignore[arg-type]


def _few(schema: dict[str, object]) -> Schema:
    """Not all at once: nothing would be left that fits."""
    return dict(list(schema.items())[:4])


schemas = st.recursive(st.booleans() | st.just({}), keywords, max_leaves=6)
simple = st.sampled_from([each for pair in FITS + MISFITS for each in pair])


@settings(max_examples=120, deadline=None)
@given(produced=schemas | simple, consumed=schemas | simple)
def test_no_value_refutes_a_proof(produced: Schema, consumed: Schema) -> None:
    if may(produced, consumed):
        given_, wanted = compile_schema(produced), compile_schema(consumed)  # type: ignore[arg-type]
        refuting = [x for x in VALUES if not given_.problems(x) and wanted.problems(x)]

        assert refuting == []


@settings(max_examples=40, deadline=None)
@given(schema=schemas)
def test_every_schema_accepts_what_it_gives_itself(schema: Schema) -> None:
    assert may(schema, schema)
