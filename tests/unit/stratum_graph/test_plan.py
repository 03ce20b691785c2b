from random import Random

from hypothesis import given, settings, strategies as st

from stratum_graph.generation import Generation, compile_graph
from stratum_graph.model import Definition, Plan
from support.graph import PURE, node


@st.composite
def acyclic(draw: st.DrawFn) -> list[Definition]:
    """Node i may consume only what nodes before it produce; the first ones are triggered."""
    count = draw(st.integers(1, 12))
    made = []
    for index in range(count):
        before = (
            draw(st.sets(st.integers(0, max(index - 1, 0)), max_size=3)) if index else set()
        )
        made.append(
            node(
                f"n{index}",
                needs=" ".join(f"c{i}" for i in sorted(before)),
                gives=f"c{index}",
                on="" if before else "events.go",
                effect=draw(st.sampled_from(["pure", "external"])),
            )
        )
    return draw(st.permutations(made))


def generation(definitions: list[Definition]) -> Generation:
    compiled = compile_graph(definitions)
    assert compiled.generation is not None, compiled.diagnostics
    return compiled.generation


def stages(plan: Plan) -> list[list[str]]:
    return [[plan.nodes[i].definition.node.name for i in stage] for stage in plan.stages]


@settings(max_examples=40)
@given(acyclic())
def test_every_consumer_comes_after_all_its_producers(definitions: list[Definition]) -> None:
    [plan] = generation(definitions).plans("events.go")

    stage_of = {each.definition.node.name: each.stage for each in plan.nodes}
    for each in plan.nodes:
        for capability in each.definition.node.consumes:
            producer = plan.nodes[plan.providers[capability]]
            assert capability in producer.definition.node.produces
            assert stage_of[producer.definition.node.name] < each.stage


@settings(max_examples=40)
@given(acyclic())
def test_a_stage_is_no_later_than_it_has_to_be(definitions: list[Definition]) -> None:
    [plan] = generation(definitions).plans("events.go")

    for each in plan.nodes:
        needs = [plan.nodes[plan.providers[c]].stage for c in each.definition.node.consumes]
        assert each.stage == max(needs, default=-1) + 1


@settings(max_examples=40)
@given(acyclic(), st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_files(
    definitions: list[Definition], random: Random
) -> None:
    shuffled = list(definitions)
    random.shuffle(shuffled)

    first, second = generation(definitions), generation(shuffled)

    assert first.digest == second.digest
    assert first.plans("events.go")[0].digest == second.plans("events.go")[0].digest


@settings(max_examples=40)
@given(acyclic())
def test_every_node_is_planned_or_pruned_with_a_reason(definitions: list[Definition]) -> None:
    [plan] = generation(definitions).plans("events.go")

    planned = {each.definition.node.name for each in plan.nodes}
    pruned = {each.node for each in plan.pruned}
    assert planned | pruned == {each.node.name for each in definitions}
    assert not planned & pruned
    assert all(each.why for each in plan.pruned)


def test_the_build_pipeline_runs_its_checks_side_by_side() -> None:
    made = generation(
        [
            node("build", needs="linted formatted", gives="artifact"),
            node("lint", gives="linted", on="events.*.pushed", effect=PURE),
            node("fmt", gives="formatted", on="events.*.pushed", effect=PURE),
        ]
    )

    [plan] = made.plans("events.crate.pushed")

    assert stages(plan) == [["fmt", "lint"], ["build"]]


def test_the_provider_of_a_consumed_capability_joins_without_a_trigger_of_its_own() -> None:
    made = generation(
        [
            node("report", needs="facts", on="events.ask"),
            node("collect", gives="facts", on="events.tick"),
        ]
    )

    [plan] = made.plans("events.ask")

    assert stages(plan) == [["collect"], ["report"]]
    assert [each.triggered for each in plan.nodes] == [False, True]


def test_a_changed_script_changes_the_digest() -> None:
    one = node("a", on="events.go")
    other = Definition(node=one.node, file=one.file, tree="sha256:other")

    before, after = generation([one]), generation([other])

    assert before.digest != after.digest
    assert before.plans("events.go")[0].digest != after.plans("events.go")[0].digest


def test_a_moved_file_does_not() -> None:
    one = node("a", on="events.go")
    other = Definition(node=one.node, file="elsewhere.ncl", line=7, tree=one.tree)

    assert generation([one]).digest == generation([other]).digest


def test_an_event_opens_every_pipeline_with_a_matching_trigger() -> None:
    made = generation(
        [node("a", on="events.go", pipeline="one"), node("b", on="events.>", pipeline="two")]
    )

    assert [plan.pipeline for plan in made.plans("events.go")] == ["one", "two"]
    assert [plan.pipeline for plan in made.plans("events.stop")] == ["two"]
    assert made.plans("other") == ()
