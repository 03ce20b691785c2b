"""Pipelines that are paused, disabled and resumed, on a store in memory."""

import json

import anyio
import anyio.lowlevel
import pytest

from stratum_orchestrator.errors import Denied, Impossible, UnknownPipeline
from stratum_orchestrator.saga.restraint import state
from stratum_state.errors import Unavailable
from stratum_state.model import Compensation, RunStatus, Trail
from stratum_state.standing import Standing
from support import records
from support.graph import node
from support.operators import WISH, Desk, desk
from support.runner import ScriptedRunner
from support.saga import Everyone, World

PIPELINE = "p"


def world(capacity: int = 8) -> World:
    nodes = [node("a", gives="x", on="events.go")]
    return World(nodes, ScriptedRunner(outputs={"a": {"x": 1}}), capacity=capacity)


async def found(around: World, run: str) -> Trail:
    trail = await around.store.trail(run)
    assert trail is not None
    return trail


async def over(at: Desk, *runs: str) -> None:
    with anyio.fail_after(5):
        for run in runs:
            while not (await found(at.world, run)).run.is_over:
                await anyio.lowlevel.checkpoint()


async def test_runs_of_a_paused_pipeline_wait_and_go_oldest_first_when_it_is_resumed() -> None:
    around = world(capacity=1)

    async with desk(around) as at:
        await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        runs = [await at.accept() for _ in range(3)]
        await anyio.wait_all_tasks_blocked()
        assert len(at.live) == 0
        assert at.restraint.waiting(PIPELINE) == 3
        await at.restraint.stand(PIPELINE, Standing.ACTIVE, WISH)
        await over(at, *runs)

    begun = [each.run for each in around.store.history if getattr(each, "node", "") == "a"]  # type: ignore[union-attr]
    assert list(dict.fromkeys(begun)) == runs
    assert {(await found(around, each)).run.status for each in runs} == {RunStatus.COMPLETED}


async def test_what_waits_still_waits_in_the_next_life_of_the_daemon() -> None:
    around = world()
    async with desk(around) as at:
        await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        run = await at.accept()

    async with desk(around) as at:
        await anyio.wait_all_tasks_blocked()
        assert (await found(around, run)).run.status is RunStatus.ACCEPTED
        assert state(at.restraint.standings.held, at.restraint.waiting) == (
            "p is paused by olga: it has to be (1 run waits)"
        )
        await at.restraint.stand(PIPELINE, Standing.ACTIVE, WISH)
        await over(at, run)

    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_what_another_instance_put_on_record_is_followed() -> None:
    around = world()

    async with desk(around) as at:
        await at.tracker.record(records.a_standing(PIPELINE))
        await at.restraint.follow()
        run = await at.accept()
        await at.tracker.record(records.a_standing(PIPELINE, Standing.ACTIVE, at=2_000))
        await at.restraint.follow()
        await over(at, run)

    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_a_run_that_is_under_way_goes_on() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        await over(at, run)

    assert (await found(around, run)).run.status is RunStatus.COMPLETED


async def test_a_waiting_run_is_cancelled_and_has_nothing_to_undo() -> None:
    around = world()

    async with desk(around) as at:
        await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        run = await at.accept()
        await at.operations.cancel(run, WISH)
        await over(at, run)

    trail = await found(around, run)
    assert (trail.run.status, trail.run.compensation) == (
        RunStatus.COMPENSATED,
        Compensation.CLEAN,
    )
    assert (trail.steps, trail.compensations) == ((), ())


async def test_a_waiting_run_is_abandoned_and_cannot_be_pushed_ahead() -> None:
    around = world()

    async with desk(around) as at:
        await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        run = await at.accept()
        with pytest.raises(Impossible) as why:
            await at.operations.retry(run, WISH)
        await at.operations.abandon(run, WISH)
        await at.restraint.stand(PIPELINE, Standing.ACTIVE, WISH)
        await anyio.wait_all_tasks_blocked()

    assert why.value.code == "held-back"
    assert (await found(around, run)).run.status is RunStatus.ABANDONED


async def test_a_disabled_pipeline_begins_no_run_anew() -> None:
    around = world()

    async with desk(around) as at:
        run = await at.accept()
        await over(at, run)
        await at.restraint.stand(PIPELINE, Standing.DISABLED, WISH)
        with pytest.raises(Impossible) as why:
            await at.operations.retry(run, WISH, again=True)

    assert why.value.code == "disabled"


async def test_who_did_it_and_by_what_right_is_on_record() -> None:
    around = world()

    async with desk(around) as at:
        record = await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)

    [line] = await around.store.journal(f"standing:{record.id}")
    assert line.kind == "standing.paused"
    said = json.loads(json.loads(line.body)["authorization"])
    assert said["policies"] == ["test.everyone"]


async def test_it_is_refused_to_whom_the_policies_do_not_permit_it() -> None:
    async with desk(world(), Everyone(but=PIPELINE)) as at:
        with pytest.raises(Denied):
            await at.restraint.stand(PIPELINE, Standing.PAUSED, WISH)
        with pytest.raises(UnknownPipeline):
            await at.restraint.stand("no-such", Standing.PAUSED, WISH)

        assert at.restraint.standings.held == []


async def test_what_is_so_already_is_said() -> None:
    async with desk(world()) as at:
        with pytest.raises(Impossible) as why:
            await at.restraint.stand(PIPELINE, Standing.ACTIVE, WISH)

    assert why.value.code == "already-active"


async def test_a_store_that_is_away_is_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    around = world()

    async def away(**_: object) -> None:
        raise Unavailable("away")

    async with desk(around) as at:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(around.store, "standings", away)
            await at.restraint.follow()
        await at.restraint.follow()
