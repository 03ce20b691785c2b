"""A trial gives what the cases say, and runs nothing that has effects."""

from collections.abc import Mapping

import pytest

from stratum_graph.generation import compile_graph
from stratum_graph.model import Credential, Definition, Plan
from stratum_orchestrator.ports import Command, Kind
from stratum_orchestrator.saga.case import Case, Expected
from stratum_orchestrator.saga.trial import MARK, StandIns, example, opening, stage, subject_of
from support.graph import node
from support.runner import ScriptedRunner
from support.saga import World

SECRET = Credential(name="s", env="S", path="kv/s", field="f")


def definitions(**fields: object) -> list[Definition]:
    return [
        node("look", on="events.*.go.>", gives="seen", effect="pure"),
        node("act", needs="seen", gives="done", effect="external", **fields),
    ]


def plan_of(nodes: list[Definition]) -> Plan:
    compiled = compile_graph(nodes)
    assert compiled.generation is not None, compiled.diagnostics
    return compiled.generation.whole(compiled.generation.pipelines[0])


def says(**outputs: object) -> Case:
    return Case(expect=Expected(outputs=outputs))


def answers(**cases: Case) -> Mapping[str, Mapping[str, object]]:
    known = {name: (case,) for name, case in cases.items()}
    return stage(plan_of(definitions()), known, live=False)[0].answers


def test_only_what_has_effects_is_stood_in_for() -> None:
    assert answers(act=says(done=1)) == {"act": {"done": 1}}


def test_answers_win_over_what_is_expected() -> None:
    case = Case(expect=Expected(outputs={"done": {}}), answers={"done": {"all": True}})

    assert answers(act=case) == {"act": {"done": {"all": True}}}


def test_nothing_is_stood_in_for_when_it_is_live() -> None:
    trial, problems = stage(plan_of(definitions()), {}, live=True)

    assert (trial.answers, problems) == ({}, ())


def test_a_stand_in_without_an_answer_is_told() -> None:
    _, problems = stage(plan_of(definitions()), {}, live=False)

    assert problems == ("act: its case.json does not say what `done` is",)


def test_an_answer_that_breaks_the_schema_is_told() -> None:
    nodes = definitions(
        output_schemas={"done": {"type": "object", "properties": {"all": {"type": "boolean"}}}}
    )

    _, problems = stage(plan_of(nodes), {"act": (says(done={"all": 1}),)}, live=False)

    assert len(problems) == 1
    assert problems[0].startswith("act: what its case.json expects is not all of it: done.all")


def test_a_stand_in_leases_nothing() -> None:
    nodes = definitions(credentials=(SECRET,))

    lent = {
        live: [
            each.definition.node.credentials
            for each in stage(plan_of(nodes), {}, live=live)[0].plan.nodes
        ]
        for live in (True, False)
    }

    assert lent == {True: [(), (SECRET,)], False: [(), ()]}


def test_files_are_those_of_what_really_runs_and_of_the_opening() -> None:
    cases = {
        "look": (Case(fixture={"a": "of look"}, requires=("tool",)),),
        "act": (Case(fixture={"a": "of act", "b": "of act"}, answers={"done": 1}),),
    }

    trial, _ = stage(plan_of(definitions()), cases, live=False)

    assert (trial.fixture, trial.requires) == ({"a": "of look"}, ("tool",))


@pytest.mark.parametrize(
    ("cases", "chosen"),
    [
        ([], None),
        ([Case(name="fails", expect=Expected(failure="x"))], None),
        ([Case(name="undone", steps=("undo",))], None),
        ([Case(name="plain"), Case(name="says", expect=Expected(outputs={}))], "says"),
        ([Case(name="plain")], "plain"),
    ],
)
def test_an_example_is_a_case_that_succeeds(cases: list[Case], chosen: str | None) -> None:
    found = example(cases)

    assert (found and found.name) == chosen


def test_the_event_is_that_of_a_node_that_it_triggers() -> None:
    cases = {"look": (Case(event={"of": "look"}),), "act": (Case(event={"of": "act"}),)}

    found = opening(plan_of(definitions()), cases)

    assert found
    assert found.event == {"of": "look"}


def test_wildcards_of_a_trigger_become_words() -> None:
    assert subject_of(definitions()[0].node) == "events.test.go.test"


async def test_a_run_goes_back_when_a_node_is_told_to_fail() -> None:
    real = ScriptedRunner()
    runner = StandIns(real, {"a": {"x": 1}}, fails={"b"})
    nodes = [
        node("a", on="events.go", gives="x", effect="external", undo=True),
        node("b", needs="x", effect="external"),
    ]

    trail = await World(nodes, runner=runner).carry()

    assert trail.run.cause == "b failed: it was told to fail"
    assert [(each.node, each.kind) for each in runner.stood_in] == [
        ("a", Kind.DO),
        ("b", Kind.DO),
        ("a", Kind.UNDO),
    ]
    assert real.commands == []


async def test_what_really_runs_can_tell_that_it_is_a_trial() -> None:
    real = ScriptedRunner()

    await World([node("a", on="events.go")], runner=StandIns(real, {})).carry()

    [command] = real.commands
    assert isinstance(command, Command)
    assert command.env[MARK] == "1"
