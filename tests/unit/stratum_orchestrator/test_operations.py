"""What operators can have done about a run, on a store in memory."""

import json
from collections.abc import Sequence

import anyio
import pytest

from stratum_graph.model import Definition
from stratum_orchestrator.errors import Denied, Impossible, UnknownRun
from stratum_orchestrator.ports import Command, Ended
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.plans import Plans
from stratum_state.decision import Answer
from stratum_state.journal import verify
from stratum_state.model import Compensation, RunStatus, Trail, identity
from stratum_state.store import DecisionFilter
from support.graph import node
from support.operators import WISH, Desk, desk
from support.runner import ScriptedRunner
from support.saga import Everyone, World, told, until_started

SAGA = [
    node("reserve", gives="reserved", on="events.go"),
    node("charge", needs="reserved", gives="charged"),
    node("ship", needs="charged", gives="shipped"),
]
OUTPUTS = {"reserve": {"reserved": 1}, "charge": {"charged": 1}, "ship": {"shipped": 1}}
UNDO_FAILS = {"ship", "charge/undo"}


def world(
    nodes: Sequence[Definition] = SAGA,
    *,
    fails: set[str] | None = None,
    hangs: set[str] | None = None,
) -> World:
    return World(
        nodes, ScriptedRunner(outputs=OUTPUTS, fails=fails or set(), hangs=hangs or set())
    )


async def found(around: World, run: str) -> Trail:
    trail = await around.store.trail(run)
    assert trail is not None
    verify(await around.store.journal(run))
    return trail


async def lines(around: World, run: str) -> list[dict[str, object]]:
    return [json.loads(each.body) for each in await around.store.journal(run)]


def said(text: object) -> dict[str, object]:
    assert isinstance(text, str)
    decoded = json.loads(text)
    assert isinstance(decoded, dict)
    return decoded


async def refused(code: str, attempt: object) -> Impossible:
    with pytest.raises(Impossible) as why:
        await attempt  # type: ignore[misc]
    assert why.value.code == code
    assert why.value.remedy
    return why.value


async def test_an_abandoned_run_is_stopped_and_nothing_of_it_undone() -> None:
    around = world(hangs={"charge"})
    runner = around.runner
    assert isinstance(runner, ScriptedRunner)

    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "charge")
        await at.operations.abandon(run, WISH)

    trail = await found(around, run)
    assert runner.stopped == ["charge"]
    assert trail.run.status is RunStatus.ABANDONED
    assert trail.run.cause == "abandoned by olga: it has to be"
    assert trail.compensations == ()
    assert told(around.store.history)[-3:] == [
        "run running",
        "charge cancelled",
        "run abandoned",
    ]


async def test_abandoning_stops_a_compensation_too() -> None:
    around = world(fails={"ship"}, hangs={"charge/undo"})
    runner = around.runner
    assert isinstance(runner, ScriptedRunner)

    async with desk(around) as at:
        run = await at.accept()
        with anyio.fail_after(5):
            while ("charge", "undo") not in runner.ran:
                await anyio.lowlevel.checkpoint()
        await at.operations.abandon(run, WISH)

    trail = await found(around, run)
    assert trail.run.status is RunStatus.ABANDONED
    assert [(each.node, each.error_class) for each in trail.compensations] == [
        ("charge", "lost")
    ]


async def test_who_wanted_it_and_which_policy_let_them_is_in_the_journal() -> None:
    around = world(hangs={"reserve"})

    async with desk(around) as at:
        run = await at.accept()
        await at.operations.abandon(run, WISH)

    [line] = [each for each in await lines(around, run) if "instruction" in each]
    assert said(line["instruction"]) == {
        "action": "abandon",
        "at": said(line["instruction"])["at"],
        "by": "olga",
        "policies": ["test.everyone"],
        "policy_set": "sha256:test",
        "reason": "it has to be",
    }


async def test_what_has_ended_cannot_be_abandoned_or_cancelled() -> None:
    around = world()
    run = (await around.carry()).run.id

    async with desk(around) as at:
        why = await refused("run-over", at.operations.abandon(run, WISH))
        await refused("run-over", at.operations.cancel(run, WISH))

    assert str(why) == "it is completed already"


async def test_what_is_denied_changes_nothing_and_is_on_record_with_its_policies(
    caplog: pytest.LogCaptureFixture,
) -> None:
    around = world(hangs={"reserve"})

    async with desk(around, Everyone(but="p")) as at:
        run = await at.accept()
        for attempt in (at.operations.abandon, at.operations.cancel, at.operations.retry):
            with pytest.raises(Denied, match="no permit matched"):
                await attempt(run, WISH)
        await at.operations.rulings.settle()
        at.live.hurry()

    assert all("instruction" not in each for each in await lines(around, run))
    kept = await around.store.decisions(DecisionFilter(), after=None, limit=9)
    assert {(each.kind, each.action, each.of_run) for each in kept} == {
        (Answer.DENIED, action, run) for action in ("abandon", "cancel", "retry")
    }
    assert {said(each.authorization)["policy_set"] for each in kept} == {"sha256:test"}
    denied = [vars(each) for each in caplog.records if each.message == "command denied"]
    assert [each["action"] for each in denied] == ["abandon", "cancel", "retry"]
    assert {(each["run"], each["why"]) for each in denied} == {(run, "no permit matched")}


async def test_a_run_that_is_not_there_is_not_known() -> None:
    async with desk(world()) as at:
        with pytest.raises(UnknownRun):
            await at.operations.abandon("ffff", WISH)


async def test_a_cancellation_says_in_the_journal_who_and_by_what_right() -> None:
    around = world(hangs={"charge"})
    runner = around.runner
    assert isinstance(runner, ScriptedRunner)

    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "charge")
        await at.operations.cancel(run, Wish(by="olga", reason="wrong branch"))

    trail = await found(around, run)
    [line] = [each for each in await lines(around, run) if "instruction" in each]
    assert (line["kind"], line["cause"]) == (
        "run.compensating",
        "cancelled by olga: wrong branch",
    )
    assert trail.run.compensation is Compensation.CLEAN


async def test_a_run_without_a_plan_can_be_abandoned() -> None:
    around, run = await unrecovered()

    async with desk(around) as at:
        assert await at.needs() == {run: "unrecovered"}
        await at.operations.abandon(run, WISH)
        assert await at.needs() == {}

    assert (await found(around, run)).run.status is RunStatus.ABANDONED


async def test_a_run_whose_plan_is_back_is_taken_up_again() -> None:
    around, run = await unrecovered()
    plan = around.generation.plans("events.go")[0]

    async with desk(around) as at:
        why = await refused("unrecovered", at.operations.retry(run, WISH))
        Plans(around.blobs).keep(plan)
        await at.operations.retry(run, WISH)

    assert "cannot be read" in str(why)
    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_a_run_set_aside_cannot_be_cancelled_and_says_what_helps() -> None:
    around, run = await unrecovered()

    async with desk(around) as at:
        why = await refused("stuck", at.operations.cancel(run, WISH))

    assert f"stratum run retry {run}" in why.remedy


async def test_a_fault_of_ours_leaves_a_run_that_a_retry_carries_to_its_end() -> None:
    class Faulty(ScriptedRunner):
        broken = True

        async def run(self, command: Command) -> Ended:
            if self.broken and command.node in {"ship", "charge"} and len(self.ran) > 1:
                raise ZeroDivisionError
            return await super().run(command)

    around = World(SAGA, Faulty(outputs=OUTPUTS))

    async with desk(around) as at:
        run = await at.accept()
        with anyio.fail_after(5):
            while await at.needs() != {run: "stuck"}:
                await anyio.lowlevel.checkpoint()
        Faulty.broken = False
        await at.operations.retry(run, WISH)

    trail = await found(around, run)
    assert (trail.run.status, trail.run.compensation) == (
        RunStatus.COMPENSATED,
        Compensation.CLEAN,
    )


async def test_a_run_under_way_is_not_taken_up_twice() -> None:
    around = world(hangs={"reserve"})

    async with desk(around) as at:
        run = await at.accept()
        await refused("run-live", at.operations.retry(run, WISH))
        await at.operations.abandon(run, WISH)


async def test_an_ended_run_is_begun_anew_under_an_identity_of_its_own() -> None:
    around = world(fails={"ship"})
    old = (await around.carry()).run
    around.runner = ScriptedRunner(outputs=OUTPUTS)

    async with desk(around) as at:
        new = (await at.operations.retry(old.id, WISH)).run

    trail = await found(around, new)
    run = trail.run
    assert run.status is RunStatus.COMPLETED
    assert run.identity == identity(old.publisher, "e1/retry/1", old.pipeline)
    assert run.event_id == "e1/retry/1"
    assert (run.publisher, run.principal, run.data) == (old.publisher, old.principal, old.data)
    right = said(run.authorization)
    assert (right["by"], right["retry_of"], right["allowed"]) == ("olga", old.id, True)
    assert right["policies"] == ["test.everyone"]


async def test_a_retry_runs_the_definitions_of_now() -> None:
    around = world(fails={"ship"})
    old = (await around.carry()).run
    around.definitions = [*SAGA[:2], node("ship", needs="charged", gives="shipped", timeout=7)]
    around.runner = ScriptedRunner(outputs=OUTPUTS)

    async with desk(around) as at:
        new = (await at.operations.retry(old.id, WISH)).run

    trail = await found(around, new)
    assert trail.run.plan != old.plan
    assert trail.run.generation == around.generation.digest


async def test_every_retry_has_the_next_number() -> None:
    around = world(fails={"ship"})
    run = (await around.carry()).run.id

    async with desk(around) as at:
        for _ in range(2):
            run = (await at.operations.retry(run, WISH)).run
            await until_over(at, run)

    assert (await found(around, run)).run.event_id == "e1/retry/2"


async def test_a_completed_run_is_begun_anew_only_on_purpose() -> None:
    around = world()
    old = (await around.carry()).run.id

    async with desk(around) as at:
        await refused("completed", at.operations.retry(old, WISH))
        new = (await at.operations.retry(old, WISH, again=True)).run
        await until_over(at, new)

    assert (await found(around, new)).run.status is RunStatus.COMPLETED


async def test_a_run_whose_retry_is_under_way_or_done_is_not_retried_again() -> None:
    around = world(fails={"ship"})
    old = (await around.carry()).run.id
    around.runner = ScriptedRunner(outputs=OUTPUTS)

    async with desk(around) as at:
        new = (await at.operations.retry(old, WISH)).run
        await refused("run-live", at.operations.retry(old, WISH))
        await until_over(at, new)
        why = await refused("completed", at.operations.retry(old, WISH))

    assert f"its retry {new} completed" in str(why)


async def test_an_event_that_opens_nothing_any_more_is_not_retried() -> None:
    around = world(fails={"ship"})
    old = (await around.carry()).run.id
    around.definitions = [node("other", on="events.other", pipeline="q")]

    async with desk(around) as at:
        await refused("no-pipeline", at.operations.retry(old, WISH))


async def test_a_compensation_tried_again_makes_the_run_clean() -> None:
    around = world(fails=UNDO_FAILS)
    run = (await around.carry()).run.id
    around.runner = runner = ScriptedRunner(outputs=OUTPUTS)

    async with desk(around) as at:
        assert await at.needs() == {run: "partial"}
        await at.operations.undo_again(run, "charge", WISH)
        await until_over(at, run)
        assert await at.needs() == {}

    trail = await found(around, run)
    assert runner.ran == [("charge", "undo")]
    assert trail.run.compensation is Compensation.CLEAN
    assert [each.attempt for each in trail.compensations if each.node == "charge"] == [
        1,
        2,
        3,
        4,
    ]


async def test_a_compensation_that_fails_again_had_its_attempts_and_stays_partial() -> None:
    around = world(fails=UNDO_FAILS)
    run = (await around.carry()).run.id

    async with desk(around) as at:
        await at.operations.undo_again(run, "charge", WISH)
        await until_over(at, run)
        assert await at.needs() == {run: "partial"}

    trail = await found(around, run)
    assert trail.run.compensation is Compensation.PARTIAL
    assert max(each.attempt for each in trail.compensations if each.node == "charge") == 6


async def test_what_is_waived_stays_partial_and_needs_nobody() -> None:
    around = world(fails=UNDO_FAILS)
    run = (await around.carry()).run.id

    async with desk(around) as at:
        await at.operations.waive(run, "charge", WISH)
        assert await at.needs() == {}

    trail = await found(around, run)
    assert (trail.run.compensation, trail.run.waived) == (Compensation.PARTIAL, True)
    waived = trail.compensations[-1]
    assert (waived.status, waived.error) == ("waived", "charge/undo exited with 1")
    assert said(waived.instruction)["reason"] == "it has to be"
    kinds = [each["kind"] for each in await lines(around, run)]
    assert kinds[-2:] == ["compensation.waived", "run.compensated"]


async def test_a_run_needs_somebody_until_all_that_failed_is_waived_or_undone() -> None:
    around = world(fails={*UNDO_FAILS, "reserve/undo"})
    run = (await around.carry()).run.id
    around.runner = ScriptedRunner(outputs=OUTPUTS)

    async with desk(around) as at:
        await at.operations.waive(run, "charge", WISH)
        assert await at.needs() == {run: "partial"}
        await at.operations.undo_again(run, "reserve", WISH)
        await until_over(at, run)
        assert await at.needs() == {}

    trail = await found(around, run)
    assert (trail.run.compensation, trail.run.waived) == (Compensation.PARTIAL, True)


async def test_only_a_compensation_that_failed_can_be_looked_after() -> None:
    around = world(fails=UNDO_FAILS)
    run = (await around.carry()).run.id

    async with desk(around) as at:
        why = await refused("not-failed", at.operations.waive(run, "reserve", WISH))
        await refused("not-failed", at.operations.undo_again(run, "nobody", WISH))
        await at.operations.waive(run, "charge", WISH)
        await refused("not-failed", at.operations.undo_again(run, "charge", WISH))

    assert str(why) == "the compensation of reserve is done"
    assert why.remedy == "not undone: charge"


async def test_what_declares_no_compensation_can_only_be_waived() -> None:
    nodes = [
        node("mail", gives="mailed", on="events.go", undo=False),
        node("x", needs="mailed"),
    ]
    around = World(nodes, ScriptedRunner(outputs={"mail": {"mailed": 1}}, fails={"x"}))
    run = (await around.carry()).run.id

    async with desk(around) as at:
        await refused("no-compensation", at.operations.undo_again(run, "mail", WISH))
        await at.operations.waive(run, "mail", WISH)
        assert await at.needs() == {}


async def test_a_run_that_completed_has_nothing_to_waive() -> None:
    around = world()
    run = (await around.carry()).run.id

    async with desk(around) as at:
        await refused("not-compensated", at.operations.waive(run, "charge", WISH))


async def test_a_run_that_takes_longer_than_it_may_needs_a_person() -> None:
    around = world(hangs={"reserve"})

    async with desk(around, overdue_s=0) as at:
        run = await at.accept()
        await at.watchlist.look()
        assert await at.needs() == {run: "overdue"}
        assert at.needing == [1]
        await at.operations.abandon(run, WISH)
        await until_over(at, run)
        assert await at.needs() == {}


async def test_attention_names_the_commands_that_help() -> None:
    around = world(fails=UNDO_FAILS)
    run = (await around.carry()).run.id

    async with desk(around) as at:
        [needy] = await at.watchlist.needy(after=None, limit=5)
        assert await at.watchlist.needy(after=run, limit=5) == []

    assert needy.attention.reason == "not undone: charge: charge/undo exited with 1"
    assert needy.attention.commands == (
        f"stratum compensation retry {run} charge --reason TEXT",
        f"stratum compensation waive {run} charge --reason TEXT",
    )


async def test_what_another_instance_carries_is_passed_on_as_it_was_allowed() -> None:
    around, run = await unrecovered()
    passed: list[tuple[str, str]] = []

    async def elsewhere(run_id: str, text: str) -> str | None:
        passed.append((run_id, text))
        return await owner.operations.overhear(run_id, text)

    async with desk(around) as owner, desk(around, elsewhere=elsewhere) as at:
        at.live.forget(run)
        obeyed = await at.operations.abandon(run, WISH)
        again = await owner.operations.overhear(*passed[0])

    trail = await found(around, run)
    assert trail.run.cause == "abandoned by olga: it has to be"
    assert obeyed.detail.startswith("the instance that has the run does it: it had no proc")
    assert said(again)["code"] == "run-over"


async def test_why_the_instance_that_has_a_run_does_not_obey_is_told_to_who_asked() -> None:
    around, run = await unrecovered()

    async def elsewhere(run_id: str, text: str) -> str | None:
        return await owner.operations.overhear(run_id, text)

    async with desk(around) as owner, desk(around, elsewhere=elsewhere) as at:
        at.live.forget(run)
        await refused("stuck", at.operations.cancel(run, WISH))


async def test_a_run_that_nobody_has_is_told_from_one_that_is_over() -> None:
    around, run = await unrecovered()

    async with desk(around) as at:
        at.live.forget(run)
        await refused("not-here", at.operations.abandon(run, WISH))


async def unrecovered() -> tuple[World, str]:
    """A world in which a daemon died in the first step, and the plan is gone since."""
    first = world()
    run = (await first.carry()).run.id
    around = world()
    for fact in first.store.history[:3]:
        await around.store.write([fact])
    return around, run


async def until_over(at: Desk, run: str) -> None:
    with anyio.fail_after(5):
        while run in at.live.under_way:
            await anyio.lowlevel.checkpoint()
