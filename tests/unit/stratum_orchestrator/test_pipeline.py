import msgspec
import pytest

from stratum_graph.model import Definition, Handler, Retry
from stratum_state.model import Compensation, RunStatus, StepStatus, Trail
from support.graph import PURE, node
from support.runner import ScriptedRunner
from support.saga import World, told, until_started

BUILD = [
    node("lint", gives="linted", on="events.go"),
    node("fmt", gives="formatted", on="events.go"),
    node("build", needs="linted formatted", gives="artifact"),
]
OUTPUTS = {
    "lint": {"linted": "l"},
    "fmt": {"formatted": "f"},
    "build": {"artifact": {"size": 3}},
}


def runner(**told_to: object) -> ScriptedRunner:
    return ScriptedRunner(outputs=OUTPUTS, **told_to)  # type: ignore[arg-type]


def statuses(trail: Trail) -> dict[str, str]:
    return {step.node: str(step.status) for step in trail.steps}


def undone(trail: Trail) -> list[str]:
    ordered = sorted(trail.compensations, key=lambda each: each.started)
    return [each.node for each in ordered]


async def test_a_run_completes_stage_by_stage() -> None:
    world = World(BUILD, runner())

    trail = await world.carry()

    assert trail.run.status is RunStatus.COMPLETED
    assert told(world.store.history)[-3:] == [
        "build started",
        "build succeeded",
        "run completed",
    ]
    assert world.runner.ran[-1] == ("build", "do")  # type: ignore[attr-defined]


async def test_a_consumer_gets_what_its_producers_gave() -> None:
    executor = runner()

    await World(BUILD, executor).carry(data='{"path":"/x"}')

    given = msgspec.json.decode(executor.commands[-1].stdin)
    assert given["inputs"] == {"linted": "l", "formatted": "f"}
    assert given["event"]["data"] == {"path": "/x"}
    assert given["step"]["idempotency_key"] == f"{given['run']['id']}/build"


async def test_the_first_failure_stops_its_siblings_and_all_is_undone_in_reverse() -> None:
    first = [
        node("prepare", gives="ready", on="events.go"),
        node("lint", needs="ready", gives="linted"),
        node("test", needs="ready", gives="tested"),
    ]
    executor = ScriptedRunner(outputs={"prepare": {"ready": 1}}, fails={"test"}, hangs={"lint"})

    trail = await World(first, executor).carry()

    assert executor.stopped == ["lint"]
    assert statuses(trail) == {"prepare": "succeeded", "test": "failed", "lint": "cancelled"}
    assert undone(trail) == ["lint", "prepare"]
    assert trail.run.status is RunStatus.COMPENSATED
    assert trail.run.compensation is Compensation.CLEAN
    assert trail.run.cause == "test failed: test exited with 1"


async def test_a_sibling_that_succeeded_in_the_failed_stage_is_undone_too() -> None:
    executor = runner(flaky={"fmt": 1})
    slow_failure = [BUILD[0], _retried(BUILD[1], attempts=1), BUILD[2]]

    trail = await World(slow_failure, executor).carry()

    assert statuses(trail)["fmt"] == "failed"
    assert undone(trail) == ["lint"]


async def test_a_compensation_learns_what_it_undoes() -> None:
    executor = runner(fails={"build"})

    trail = await World(BUILD, executor).carry()

    undo = [each for each in executor.commands if each.kind.value == "undo"]
    first = msgspec.json.decode(undo[0].stdin)
    assert first["outputs"] in ({"linted": "l"}, {"formatted": "f"})
    assert first["outcome"] == "succeeded"
    assert first["cause"] == trail.run.cause
    assert first["step"]["idempotency_key"].endswith("/undo")


async def test_within_a_stage_the_last_to_end_is_undone_first() -> None:
    executor = runner(fails={"build"})

    trail = await World(BUILD, executor).carry()

    ended = {step.node: step.ended or 0 for step in trail.steps if step.stage == 0}
    assert undone(trail) == sorted(ended, key=lambda name: ended[name], reverse=True)


async def test_a_compensation_that_fails_is_repeated_and_never_stops_the_others() -> None:
    executor = runner(fails={"build", "lint/undo"})

    trail = await World(BUILD, executor).carry()

    assert trail.run.compensation is Compensation.PARTIAL
    assert undone(trail).count("lint") == 3
    assert undone(trail).count("fmt") == 1


async def test_an_effect_that_nothing_undoes_makes_the_run_partial_and_says_so() -> None:
    mail = [node("mail", gives="sent", on="events.go", undo=False), node("after", needs="sent")]

    trail = await World(
        mail, ScriptedRunner(outputs={"mail": {"sent": 1}}, fails={"after"})
    ).carry()

    assert trail.run.compensation is Compensation.PARTIAL
    assert [each.error for each in trail.compensations] == [
        "`mail` is external and declares no compensation"
    ]


async def test_what_is_pure_needs_no_undoing() -> None:
    check = [
        node("check", gives="checked", on="events.go", undo=False, effect=PURE),
        node("after", needs="checked"),
    ]

    trail = await World(
        check, ScriptedRunner(outputs={"check": {"checked": 1}}, fails={"after"})
    ).carry()

    assert trail.run.compensation is Compensation.CLEAN
    assert trail.compensations == ()


async def test_a_step_is_repeated_as_its_policy_says() -> None:
    executor = runner(flaky={"build": 2})

    trail = await World([*BUILD[:2], _retried(BUILD[2], attempts=3)], executor).carry()

    build = [step for step in trail.steps if step.node == "build"]
    assert [str(step.status) for step in build] == ["failed", "failed", "succeeded"]
    assert [step.attempt for step in build] == [1, 2, 3]
    assert trail.run.status is RunStatus.COMPLETED


async def test_a_failure_of_another_class_is_not_repeated() -> None:
    patient = _retried(BUILD[2], attempts=3, on=("timeout",))

    trail = await World([*BUILD[:2], patient], runner(fails={"build"})).carry()

    assert [step.attempt for step in trail.steps if step.node == "build"] == [1]


async def test_a_step_that_takes_too_long_ends_as_timed_out_and_is_undone() -> None:
    brief = msgspec.structs.replace(BUILD[2].node, timeout=0.05)
    build = msgspec.structs.replace(BUILD[2], node=brief)

    trail = await World([*BUILD[:2], build], runner(hangs={"build"})).carry()

    assert statuses(trail)["build"] == StepStatus.TIMED_OUT
    assert undone(trail)[0] == "build"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "`artifact` is missing"),
        ({"artifact": 1, "more": 2}, "`more` is not declared"),
        ({"artifact": "text"}, 'artifact: "text" is not of type "integer"'),
    ],
)
async def test_output_that_does_not_fit_fails_the_step(
    given: dict[str, object], problem: str
) -> None:
    strict = msgspec.structs.replace(
        BUILD[2].node, output_schemas={"artifact": {"type": "integer"}}
    )
    build = msgspec.structs.replace(BUILD[2], node=strict)

    trail = await World(
        [*BUILD[:2], build], ScriptedRunner(outputs={**OUTPUTS, "build": given})
    ).carry()

    [step] = [step for step in trail.steps if step.node == "build"]
    assert step.error_class == "bad-output"
    assert problem in (step.error or "")


async def test_a_cancelled_run_is_undone_through_the_same_door() -> None:
    executor = runner(hangs={"build"})
    world = World(BUILD, executor)

    async with world.daemon() as (tracker, live):
        run = await world.accept(tracker, live)
        await until_started(executor, "build")
        assert await live.cancel(run, "cancelled by ada: wrong branch")

    trail = await world.store.trail(run)
    assert trail is not None
    assert trail.run.cause == "cancelled by ada: wrong branch"
    assert undone(trail)[0] == "build"
    assert sorted(undone(trail)) == ["build", "fmt", "lint"]


async def test_a_run_that_is_over_cannot_be_cancelled() -> None:
    world = World(BUILD, runner())
    trail = await world.carry()

    async with world.daemon() as (_, live):
        assert not await live.cancel(trail.run.id, "too late")


async def test_a_run_that_takes_too_long_is_undone() -> None:
    trail = await World(BUILD, runner(hangs={"build"}), limit_s=0.2).carry()

    assert trail.run.status is RunStatus.COMPENSATED
    assert trail.run.cause == "the run did not end within 0.2 s"


async def test_a_node_whose_condition_is_false_is_skipped_with_all_that_needs_it() -> None:
    only_main = {"op": "eq", "path": "event.branch", "value": "main"}
    nodes = [
        node("lint", gives="linted", on="events.go"),
        node("publish", needs="linted", gives="published", when=only_main),
        node("tell", needs="published"),
    ]

    trail = await World(nodes, runner()).carry(data='{"branch":"next"}')

    assert statuses(trail) == {"lint": "succeeded", "publish": "skipped", "tell": "skipped"}
    assert trail.run.status is RunStatus.COMPLETED


async def test_a_path_that_the_event_lacks_fails_the_step_with_its_name() -> None:
    reads = node("lint", gives="linted", on="events.go")
    handler = Handler(script="run.nu", read=("event.path",))
    lint = msgspec.structs.replace(
        reads, node=msgspec.structs.replace(reads.node, handler=handler)
    )

    trail = await World([lint], runner()).carry(data='{"path":"relative"}')

    assert trail.steps[0].error == (
        "`event.path` is 'relative', but has to be an absolute path"
    )


async def test_a_fault_of_ours_turns_the_run_back_and_spares_the_others() -> None:
    class Faulty(ScriptedRunner):
        async def run(self, command):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            if command.node == "build" and command.kind.value == "do":
                raise ZeroDivisionError
            return await super().run(command)

    world = World(BUILD, Faulty(outputs=OUTPUTS))

    trail = await world.carry()

    assert trail.run.status is RunStatus.COMPENSATED
    assert trail.run.cause == "a fault inside the daemon; its log says more"
    assert undone(trail)[0] == "build"


async def test_room_shrinks_with_each_run_and_comes_back_at_its_end() -> None:
    world = World(BUILD, runner(), capacity=2)

    async with world.daemon() as (tracker, live):
        await world.accept(tracker, live)
        await world.accept(tracker, live, data='{"again":1}')

    assert world.room.told[:2] == [1, 0]
    assert world.room.told[-1] == 2


def _retried(definition: Definition, **policy: object) -> Definition:
    retry = Retry(delay=0.001, **policy)  # type: ignore[arg-type]
    return msgspec.structs.replace(
        definition, node=msgspec.structs.replace(definition.node, retry=retry)
    )
