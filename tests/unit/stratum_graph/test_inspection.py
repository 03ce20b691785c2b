import pytest

from stratum_graph.generation import compile_graph
from stratum_graph.model import Definition
from support.graph import PURE, node, shape


def errors(*definitions: Definition) -> list[str]:
    compiled = compile_graph(definitions)
    assert (compiled.generation is None) == any(
        each.severity == "error" for each in compiled.diagnostics
    )
    return [str(each) for each in compiled.diagnostics if each.severity == "error"]


def warnings(*definitions: Definition) -> list[str]:
    compiled = compile_graph(definitions)
    return [str(each) for each in compiled.diagnostics if each.severity == "warning"]


def test_two_nodes_of_one_name_are_both_named() -> None:
    twin = Definition(
        node=node("a", on="events.go").node, file="b.ncl", line=3, tree="sha256:b"
    )

    found = errors(node("a", on="events.go"), twin)

    assert found == [
        "b.ncl:3:1: node `a` is also declared in a/node.ncl:1 "
        "(rename one of them, or set `enabled = false`)"
    ]


def test_a_missing_producer_is_named_with_what_was_meant() -> None:
    found = errors(
        node("lint", gives="linted-code", on="events.go"), node("build", needs="linted-cod")
    )

    assert found == [
        "build/node.ncl:1:1: `build` consumes `linted-cod`, which no node produces "
        "(did you mean `linted-code`?)"
    ]


def test_two_producers_are_ambiguous_until_one_is_preferred() -> None:
    plain = node("one", gives="c", on="events.go")

    [found] = errors(plain, node("two", gives="c", on="events.go"))
    settled = errors(plain, node("two", gives="c", on="events.go", prefer=("c",)))

    assert "capability `c` is produced by `one` and `two`" in found
    assert settled == []


def test_a_cycle_is_named_with_its_path() -> None:
    found = errors(
        node("a", needs="z", gives="x"),
        node("b", needs="x", gives="y"),
        node("c", needs="y", gives="z"),
    )

    assert [each.split(" (")[0] for each in found] == [
        "a/node.ncl:1:1: cycle: a -> b -> c -> a"
    ]


def test_a_trigger_that_no_event_can_reach_is_an_error() -> None:
    [found] = errors(node("a", on="ci.pushed"))

    assert "trigger `ci.pushed` of `a` is outside the captured subjects events.>" in found


def test_an_unusable_schema_is_an_error_at_its_node() -> None:
    [found] = errors(
        node("a", gives="c", on="events.go", output_schemas={"c": {"type": "strin"}})
    )

    assert found.startswith("a/node.ncl:1:1: `output_schemas.c` of `a`:")


@pytest.mark.parametrize(
    ("given", "wanted", "problem"),
    [
        ({"type": "string"}, {"type": "integer"}, "gives string, the consumer wants integer"),
        ({"type": "integer"}, {"type": "number"}, ""),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, '"b" is not one of'),
        ({"enum": ["a"]}, {"type": "string"}, ""),
        ({"type": "string"}, {"enum": ["a"]}, "allows only"),
        ({"type": "integer"}, {"type": "integer", "minimum": 0}, "does not keep minimum 0"),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "minimum": 0}, ""),
        (shape(a={"type": "string"}), shape(a={"type": "string"}), ""),
        (shape(), shape(a={}), "c.a: the consumer requires it"),
        (shape(a={}, b={}), shape(a={}), "c.b: the consumer does not know this field"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, {"type": "string"}, "gives null"),
        ({"type": "string"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, ""),
        (
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"type": "number"}},
            "c[]: the producer gives string",
        ),
    ],
)
def test_producer_and_consumer_have_to_agree(
    given: dict[str, object], wanted: dict[str, object], problem: str
) -> None:
    found = errors(
        node("make", gives="c", on="events.go", output_schemas={"c": given}),
        node("take", needs="c", input_schemas={"c": wanted}),
    )

    assert bool(found) == bool(problem)
    assert all(problem in each and "make/node.ncl:1" in each for each in found)


def test_a_node_that_nothing_leads_to_is_pointed_out() -> None:
    found = warnings(
        node("a", gives="x", on="events.go"),
        node("check", needs="x", gives="checked", effect=PURE),
    )

    assert [each.split(" (")[0] for each in found] == [
        "check/node.ncl:1:1: `check` never runs: it is pure and nothing in this plan "
        "consumes what it produces"
    ]


def test_an_effect_that_nothing_undoes_is_pointed_out() -> None:
    [found] = warnings(node("a", on="events.go", undo=False))

    assert "nothing undoes `a`" in found


def test_all_findings_come_at_once() -> None:
    found = errors(
        node("a", needs="nowhere", on="ci.x"), node("b", needs="elsewhere", on="ci.y")
    )

    assert len(found) == 4


def test_pipelines_that_start_each_other_by_their_ends_are_pointed_out() -> None:
    end = "events.stratum.run.completed"

    found = warnings(
        node("a", on=f"{end}.b", pipeline="a"),
        node("b", on=f"{end}.a", pipeline="b"),
        node("c", on=f"{end}.b", pipeline="c"),
    )

    circles = [each for each in found if "start each other" in each]
    assert len(circles) == 1
    assert "a -> b -> a" in circles[0]
    assert f"`{end}.NAME`" in circles[0]


def test_pipelines_in_a_row_are_none_of_that() -> None:
    found = warnings(
        node("a", on="events.go", pipeline="a"),
        node("b", on="events.stratum.run.*.a", pipeline="b"),
    )

    assert not [each for each in found if "start each other" in each]
