"""People are asked before a step, on a store in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import anyio
import pytest

from stratum_graph.model import Ask, Definition, Principal
from stratum_orchestrator.api.openapi import CATALOG
from stratum_orchestrator.audit import fold
from stratum_orchestrator.audit.run import audit_run
from stratum_orchestrator.errors import Denied, Impossible
from stratum_orchestrator.ports import Decision, Mandate
from stratum_orchestrator.saga.delegation import Asker
from stratum_orchestrator.saga.herald import Herald
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.sequel import Sequel
from stratum_state.model import PipelineRun, RunStatus, Trail
from support.graph import node
from support.operators import Desk, desk
from support.runner import ScriptedRunner
from support.saga import Everyone, World, told, until_started

OUTPUTS = {
    "build": {"built": 1},
    "deploy": {"deployed": 1},
    "sign": {"signed": 1},
    "tell": {"told": 1},
}
ONE = Ask(groups=("release",), timeout=60)
TWO = Ask(groups=("release", "security"), count=2, timeout=60)


def nodes(ask: Ask = ONE) -> list[Definition]:
    return [
        node("build", gives="built", on="events.go"),
        node("deploy", needs="built", gives="deployed", ask=ask),
        node("tell", needs="deployed", gives="told"),
    ]


def world(found: Sequence[Definition] = (), **runner: set[str]) -> World:
    return World(found or nodes(), ScriptedRunner(outputs=OUTPUTS, **runner))


def person(name: str, *groups: str, key: str = "") -> Principal:
    return Principal(key=key or f"U{name.upper()}", name=name, groups=groups or ("release",))


def says(who: Principal, reason: str = "looks good") -> Wish:
    return Wish(by=who.name, reason=reason, asker=Asker(principal=who))


ADA, BEN, EVE = person("ada"), person("ben", "security"), person("eve", "strangers")


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not holds():
            await anyio.lowlevel.checkpoint()


async def until_suspended(at: Desk, run: str) -> None:
    await until(lambda: run in at.live.recess)


async def until_over(at: Desk, run: str) -> None:
    await until(lambda: run not in at.live.recess and not len(at.live))


async def found(around: World, run: str) -> Trail:
    """What is on record; nothing is wrong with it."""
    trail = await around.store.trail(run)
    assert trail is not None
    journal = await around.store.journal(run)
    plans = {plan.digest: plan for plan in around.generation.plans("events.go")}
    found = audit_run(run, journal, fold.said_by(trail), plans[trail.run.plan])
    assert [str(each) for each in found] == []
    return trail


async def refused(code: str, attempt: object) -> None:
    with pytest.raises(Impossible) as why:
        await attempt  # type: ignore[misc]
    assert (why.value.code, bool(why.value.remedy)) == (code, True)


async def test_a_run_waits_for_people_and_goes_on_when_they_approve() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        assert len(at.live) == 0
        obeyed = await at.operations.approve(run, "deploy", says(ADA))

    assert obeyed.detail == "deploy is approved (permitted by test.everyone)"
    assert told(around.store.history) == [
        "run accepted",
        "run running",
        "build started",
        "build succeeded",
        "ask deploy open",
        "run suspended",
        "ada approved deploy",
        "ask deploy approved",
        "run running",
        "deploy started",
        "deploy succeeded",
        "tell started",
        "tell succeeded",
        "run completed",
    ]
    await found(around, run)


async def test_who_said_what_about_which_plan_is_on_record() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.operations.approve(run, "deploy", says(ADA, "tested"))

    trail = await found(around, run)
    [answer], [question] = trail.answers, trail.checkpoints
    assert (answer.person, answer.key, answer.reason) == ("ada", "UADA", "tested")
    assert answer.plan == question.plan == trail.run.plan
    assert '"policies":["test.everyone"]' in answer.instruction
    assert question.inputs.startswith("sha256:")


async def test_one_rejection_turns_the_run_back() -> None:
    around = world(nodes(TWO))

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.operations.approve(run, "deploy", says(ADA))
        await at.operations.reject(run, "deploy", says(BEN, "not on a Friday"))

    trail = await found(around, run)
    assert trail.run.status is RunStatus.COMPENSATED
    assert trail.run.cause == "deploy rejected by ben: not on a Friday"
    assert [each.node for each in trail.compensations] == ["build"]
    assert "deploy started" not in told(around.store.history)


async def test_as_many_different_people_have_to_approve_as_are_asked_for() -> None:
    around = world(nodes(TWO))

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        first = await at.operations.approve(run, "deploy", says(ADA))
        await refused("answered", at.operations.approve(run, "deploy", says(ADA)))
        again = person("ada", key="UADA2")
        await refused("answered", at.operations.approve(run, "deploy", says(again)))
        same_key = person("ada-too", key="UADA")
        await refused("answered", at.operations.reject(run, "deploy", says(same_key)))
        assert run in at.live.recess
        await at.operations.approve(run, "deploy", says(BEN))

    assert first.detail.startswith("1 of 2 have approved deploy")
    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_who_is_in_none_of_the_groups_does_not_answer() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        with pytest.raises(
            Denied, match="eve is in none of the groups that are asked: release"
        ):
            await at.operations.approve(run, "deploy", says(EVE))
        assert (await found(around, run)).answers == ()
        await at.operations.cancel(run, says(ADA))


async def test_an_answer_to_something_else_changes_nothing() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        before = len(around.store.history)
        await refused("no-question", at.operations.approve(run, "build", says(ADA)))
        await refused("no-question", at.operations.approve(run, "nothing", says(ADA)))
        assert len(around.store.history) == before
        await at.operations.approve(run, "deploy", says(ADA))
        await until_over(at, run)
        cyd = person("cyd")
        await refused("question-closed", at.operations.approve(run, "deploy", says(cyd)))

    assert len((await found(around, run)).answers) == 1


async def test_the_time_to_answer_ends_and_with_it_the_run() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.deadlines.look()
        assert run in at.live.recess
        around.clock.ms += 60_000
        await refused("too-late", at.operations.approve(run, "deploy", says(ADA)))
        await at.deadlines.look()

    trail = await found(around, run)
    assert trail.run.status is RunStatus.COMPENSATED
    assert trail.run.cause == "deploy rejected: release did not answer in full within 60 s"


async def test_silence_can_be_consent_and_is_recorded_as_such() -> None:
    around = world(nodes(Ask(groups=("release",), timeout=60, on_timeout="approve")))

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        around.clock.ms += 60_000
        await at.deadlines.look()

    trail = await found(around, run)
    assert trail.run.status is RunStatus.COMPLETED
    assert [each.status for each in trail.checkpoints] == ["timed-out"]
    assert trail.answers == ()


async def test_others_of_the_stage_go_on_meanwhile() -> None:
    around = world([*nodes(), node("sign", needs="built", gives="signed")], hangs={"sign"})
    runner = around.runner
    assert isinstance(runner, ScriptedRunner)

    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "sign")
        assert not at.live.is_aside(run)
        await at.operations.approve(run, "deploy", says(ADA))
        await until_started(runner, "deploy")
        await at.operations.cancel(run, says(ADA))

    assert "run suspended" not in told(around.store.history)
    await found(around, run)


async def test_a_failure_beside_it_withdraws_the_question() -> None:
    around = world([*nodes(), node("sign", needs="built", gives="signed")], fails={"sign"})

    async with desk(around) as at:
        run = await at.accept()

    trail = await found(around, run)
    assert trail.run.status is RunStatus.COMPENSATED
    assert [each.status for each in trail.checkpoints] == ["withdrawn"]


async def test_a_run_that_waits_can_be_turned_back_or_given_up() -> None:
    around = world()

    async with desk(around) as at:
        one, two = await at.accept(), await at.accept()
        await until_suspended(at, one)
        await until_suspended(at, two)
        await refused("asked", at.operations.retry(one, says(ADA)))
        await at.operations.cancel(one, says(ADA, "enough"))
        await at.operations.abandon(two, says(ADA, "enough"))

    for run, status in ((one, RunStatus.COMPENSATED), (two, RunStatus.ABANDONED)):
        trail = await found(around, run)
        assert (trail.run.status, len(at.live.recess)) == (status, 0)
        assert [each.status for each in trail.checkpoints] == ["withdrawn"]


async def test_a_new_life_waits_on_with_the_same_question_and_answers() -> None:
    around = world(nodes(TWO))

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.operations.approve(run, "deploy", says(ADA))
    before = await found(around, run)
    async with desk(around) as at:
        assert run in at.live.recess
        assert await found(around, run) == before
        await refused("answered", at.operations.approve(run, "deploy", says(ADA)))
        await at.operations.approve(run, "deploy", says(BEN))

    assert (await found(around, run)).run.status is RunStatus.COMPLETED
    assert told(around.store.history).count("ask deploy open") == 1


async def test_a_question_survives_a_life_in_which_others_of_its_stage_ran() -> None:
    around = world([*nodes(), node("sign", needs="built", gives="signed")], hangs={"sign"})
    runner = around.runner
    assert isinstance(runner, ScriptedRunner)
    store = around.store

    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "sign")
        await until(lambda: "ask deploy open" in told(store.history))
        at.live.hurry()
    around.runner = ScriptedRunner(outputs=OUTPUTS)
    async with desk(around) as at:
        await until_suspended(at, run)
        await at.operations.approve(run, "deploy", says(ADA))

    trail = await found(around, run)
    assert trail.run.status is RunStatus.COMPLETED
    assert told(store.history).count("ask deploy open") == 1


async def test_a_run_that_waited_for_long_is_read_again_when_it_goes_on() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        at.tracker.release(run)
        await at.operations.approve(run, "deploy", says(ADA))
        await until_over(at, run)
        believed = at.tracker.trail(run)

    assert believed is not None
    assert believed.run.status is RunStatus.COMPLETED
    assert set(believed.facts) == set((await found(around, run)).facts)


async def test_an_answer_is_passed_on_to_the_instance_that_has_the_run() -> None:
    around = world(nodes(TWO))

    async def elsewhere(run_id: str, text: str) -> str | None:
        return await owner.operations.overhear(run_id, text)

    async with desk(around) as owner, desk(around, elsewhere=elsewhere) as at:
        run = await owner.accept()
        await until_suspended(owner, run)
        obeyed = await at.operations.approve(run, "deploy", says(ADA))
        await refused("answered", at.operations.approve(run, "deploy", says(ADA)))
        await at.operations.approve(run, "deploy", says(BEN))

    assert obeyed.detail.startswith("the instance that has the run does it: 1 of 2 have")
    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_an_answer_of_which_nothing_was_heard_is_found_on_record() -> None:
    around = world()

    async def elsewhere(run_id: str, text: str) -> str | None:
        await owner.operations.overhear(run_id, text)
        return None

    async with desk(around) as owner, desk(around, elsewhere=elsewhere) as at:
        run = await owner.accept()
        await until_suspended(owner, run)
        obeyed = await at.operations.approve(run, "deploy", says(ADA))

    assert obeyed.detail == "the instance that has the run does it"


async def test_what_is_skipped_asks_nobody() -> None:
    never = {"op": "eq", "path": "event.branch", "value": "main"}
    around = world([nodes()[0], node("deploy", needs="built", ask=ONE, when=never)])

    async with desk(around) as at:
        run = await at.accept()

    trail = await found(around, run)
    assert (trail.run.status, trail.checkpoints) == (RunStatus.COMPLETED, ())


async def test_several_questions_are_asked_together() -> None:
    around = world([nodes()[0], *(node(x, needs="built", ask=ONE) for x in ("b", "a"))])

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.operations.approve(run, "a", says(ADA))
        await until_suspended(at, run)
        assert "a succeeded" in told(around.store.history)
        await at.operations.approve(run, "b", says(ADA))

    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_who_waits_takes_no_room() -> None:
    around = replace(world(), capacity=1)

    async with desk(around) as at:
        runs = [await at.accept() for _ in range(3)]
        for run in runs:
            await until_suspended(at, run)
        assert around.room.told[-1] == 1
        async with at.live.entrance.room_for(1, within_s=5):
            pass
        for run in runs:
            await at.operations.approve(run, "deploy", says(ADA))

    statuses = {fact.id: fact.status for fact in around.store.history if is_run(fact)}
    assert set(statuses.values()) == {RunStatus.COMPLETED}


async def test_no_more_runs_go_on_at_once_than_there_is_room_for() -> None:
    around = replace(world(hangs={"deploy"}), capacity=2)

    async with desk(around) as at:
        runs = [await at.accept() for _ in range(5)]
        for run in runs:
            await until_suspended(at, run)
        for run in runs:
            await at.operations.approve(run, "deploy", says(ADA))
        await until(lambda: around.runner.ran.count(("deploy", "do")) == around.capacity)
        await anyio.wait_all_tasks_blocked()
        under_way = around.runner.ran.count(("deploy", "do"))
        for run in reversed(runs):  # those that have not gone on yet first
            await at.operations.cancel(run, says(ADA, "enough"))
        await until(lambda: not len(at.live))

    assert under_way == around.capacity
    assert around.runner.ran.count(("deploy", "do")) == around.capacity
    for run in runs:
        assert (await found(around, run)).run.status is RunStatus.COMPENSATED


def is_run(fact: object) -> bool:
    return isinstance(fact, PipelineRun)


async def test_waiting_is_not_measured_against_the_limit_of_a_run() -> None:
    around = replace(world(), limit_s=1)

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await anyio.sleep(1.1)
        await at.operations.approve(run, "deploy", says(ADA))

    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_whoever_looks_after_runs_sees_who_is_asked() -> None:
    around = world(nodes(TWO))

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
        await at.operations.approve(run, "deploy", says(ADA))
        [needy] = await at.watchlist.needy(after=None, limit=9)
        await at.watchlist.look()
        await at.operations.cancel(run, says(ADA))

    assert needy.attention.code == "asked"
    assert "deploy asks release or security until 20" in needy.attention.reason
    assert "(1 of 2 have approved), then it is rejected" in needy.attention.reason
    assert needy.attention.commands[0] == f"stratum run approve {run} deploy"
    assert at.needing == [0]


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_reading_never_answers(verb: str) -> None:
    path = f"/api/v1/runs/{{run}}/checkpoints/{{node}}/{verb}"

    assert [method for method, known in CATALOG if known == path] == ["POST"]


async def test_nobody_approves_for_a_pipeline_that_is_not_defined_any_more() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await until_suspended(at, run)
    gone = replace(around, definitions=[node("other", on="events.other", pipeline="q")])
    async with desk(gone) as at:
        await refused("no-pipeline", at.operations.approve(run, "deploy", says(ADA)))
        await at.operations.reject(run, "deploy", says(ADA, "it is gone"))

    assert (await found(around, run)).run.status is RunStatus.COMPENSATED


async def test_an_agent_answers_in_the_name_of_the_user_whose_grant_it_has() -> None:
    around = world(nodes(TWO))
    bot = Asker(principal=person("bot", "strangers"))
    mandate = Mandate(grant="g", agent="UBOT", user="ada", key="UADA", expires=1, text="")

    async with desk(around, Granting(mandate), people=[ADA, BEN]) as at:
        run = await at.accept()
        await until_suspended(at, run)
        wish = Wish(by="bot", reason="for ada", asker=bot)
        await at.operations.approve(run, "deploy", wish)
        await refused("answered", at.operations.approve(run, "deploy", says(ADA)))
        await at.operations.cancel(run, says(ADA))

    [answer] = (await found(around, run)).answers
    assert (answer.person, answer.key) == ("ada", "UADA")
    assert '"by":"bot"' in answer.instruction


class Granting(Everyone):
    """Allows everything, on behalf of somebody."""

    def __init__(self, mandate: Mandate) -> None:
        super().__init__()
        self._mandate = mandate

    def decide(
        self, principal: Principal, action: str, pipeline: str, context: Mapping[str, object]
    ) -> Decision:
        decision = super().decide(principal, action, pipeline, context)
        return replace(decision, mandate=self._mandate)


async def test_what_is_asked_is_published_once_and_by_whoever_has_the_run() -> None:
    around = replace(world(), sequel=Sequel(lambda subject: ".asked." in subject))
    sent: list[tuple[str, str]] = []

    async def publish(subject: str, data: object, event_id: str, _: Mapping[str, str]) -> int:
        assert isinstance(data, dict)
        sent.append((subject, f"{data['node']} {data['groups']} {event_id[-13:]}"))
        return len(sent)

    for _ in range(2):
        async with desk(around) as at:
            herald = Herald(at.tracker, publish, at.operations.turn)
            herald.heard = at.live.heard
            if not sent:
                run = await at.accept()
                await until_suspended(at, run)
            await herald.work()
            await herald.work()

    trail = await found(around, run)
    assert sent == [("events.stratum.run.asked.p", "deploy ['release'] .deploy.asked")]
    assert [each.published for each in trail.checkpoints] == [1]
    assert trail.run.status is RunStatus.SUSPENDED
