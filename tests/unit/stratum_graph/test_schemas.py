import pytest

from stratum_graph.schemas import SchemaInvalid, compile_schema


def test_every_problem_is_named_with_its_path() -> None:
    schema = {"properties": {"a": {"items": {"type": "string"}}}, "required": ["b"]}

    found = compile_schema(schema).problems({"a": ["x", 1]}, name="event")

    assert sorted(found) == [
        'event.a[1]: 1 is not of type "string"',
        'event: "b" is a required property',
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/x"},
        {"$ref": "file:///etc/passwd"},
        {"type": "strin"},
        {"pattern": "("},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(SchemaInvalid):
        compile_schema(schema)


def test_a_pattern_that_others_choke_on_is_judged_in_linear_time() -> None:
    schema = compile_schema({"type": "string", "pattern": "^(a+)+$"})

    assert schema.problems("a" * 50_000 + "!") != ()
    assert schema.problems("a" * 50_000) == ()


def test_a_schema_may_refer_to_itself() -> None:
    tree = compile_schema({"type": "array", "items": {"$ref": "#"}})

    assert tree.problems([[[]], []]) == ()
    assert tree.problems([[1]]) != ()
