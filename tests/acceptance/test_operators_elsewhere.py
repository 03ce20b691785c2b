"""What operators want of a run is done at any instance, whoever has the run, or nobody."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import anyio
import pytest
from anyio.to_thread import run_sync

from support.daemon import Daemon, write_node
from support.http import Answer, ask
from support.site import Site, a_site_with_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

REFUND = """
def main [] {
  if not ($env.STRATUM_DATA | path join "bank" | path exists) {
    error make --unspanned { msg: "the bank is closed" }
  }
}
"""
FAILS = 'def main [] { error make --unspanned { msg: "nothing to ship" } }'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Two instances, neither of them started."""
    async with a_site_with_database(tmp_path) as (made, _, _):
        write_node(
            tmp_path,
            "charge",
            'trigger = { pipeline = "pay", subjects = ["events.pay"] }, produces = ["charge"], '
            'handler.script = "run.nu", compensate.script = "undo.nu"',
            undo=REFUND,
        )
        ship = 'consumes = ["charge"], produces = ["shipped"], handler.script = "run.nu"'
        write_node(tmp_path, "ship", ship, run=FAILS)
        permit = (
            'trigger = { pipeline = "permit", subjects = ["events.permit"] }, '
            'produces = ["permit"], handler.script = "run.nu", effect = \'pure, '
            'ask = { groups = ["operators"] }'
        )
        write_node(tmp_path, "permit", permit)
        for _ in range(2):
            made.member({"STRATUM_RUNS__TAKEOVER": "5s"})
        yield made


async def test_what_was_not_undone_is_tried_again_though_its_instance_has_ended(
    site: Site,
) -> None:
    one, two = site.members
    await run_sync(one.start)
    run = await a_run(site, one, "events.pay")
    await run_sync(two.start)
    assert await until(two, run, "compensated") == "partial"
    await run_sync(one.stop)
    (two.home / "pipelines" / "pay").mkdir(parents=True, exist_ok=True)
    (two.home / "pipelines" / "pay" / "bank").touch()

    said = await command(two, run, "compensations/charge/retry")

    assert "tried again" in str(said["detail"])
    assert await until(two, run, "compensated", "clean") == "clean"


async def test_what_was_not_undone_is_waived_where_the_run_is_not(site: Site) -> None:
    one, two = site.members
    await run_sync(one.start)
    run = await a_run(site, one, "events.pay")
    await run_sync(two.start)
    await until(two, run, "compensated")

    said = await command(two, run, "compensations/charge/waive")
    again = await command(two, run, "compensations/charge/waive", wanted=409)

    assert str(said["detail"]).startswith("the instance that has the run does it")
    assert again["code"] == "not-failed"
    assert (await shown(one, run))["waived"]


@pytest.mark.parametrize(("verb", "end"), [("cancel", "compensated"), ("abandon", "abandoned")])
async def test_a_run_whose_instance_was_killed_is_commanded_at_once(
    site: Site, verb: str, end: str
) -> None:
    one, two = site.members
    await run_sync(one.start)
    run = await a_run(site, one, "events.gated")
    await site.under_way(1)
    await run_sync(two.start)
    one.kill()

    await command(two, run, verb)
    site.open_gate()

    await until(two, run, end)


async def test_whoever_is_asked_answers_at_any_instance_and_outlives_the_one_that_asked(
    site: Site,
) -> None:
    one, two = site.members
    await run_sync(one.start)
    first = await a_run(site, one, "events.permit")
    await until(one, first, "suspended")
    await run_sync(two.start)

    said = await command(two, first, "checkpoints/permit/reject")
    await until(two, first, "compensated")
    second = await a_run(site, one, "events.permit", but=first)
    await until(two, second, "suspended")
    for member in site.members:
        member.kill()
    await run_sync(two.start)
    await command(two, second, "checkpoints/permit/approve")

    assert str(said["detail"]).startswith("the instance that has the run does it: permit is")
    await until(two, second, "completed")


async def test_a_run_whose_instance_is_frozen_is_taken_over_to_be_cancelled(site: Site) -> None:
    one, two = site.members
    await run_sync(one.start)
    run = await a_run(site, one, "events.gated")
    await site.under_way(1)
    await run_sync(two.start)

    with frozen(one):
        await command(two, run, "cancel")
        await until(two, run, "compensated")

    assert await run_sync(one.ended) == 75


async def test_a_run_that_cannot_be_recovered_is_named_by_every_instance(site: Site) -> None:
    one, two = site.members
    await run_sync(one.start)
    run = await a_run(site, one, "events.gated")
    await site.under_way(1)
    plan = str((await shown(one, run))["plan"]).removeprefix("sha256:")
    one.kill()
    (site.folder / "content" / "blobs" / plan).unlink()
    (site.folder / "nodes" / "gated-one" / "run.nu").write_text(FAILS)
    await run_sync(one.start)
    await run_sync(two.start)

    await taken_over(one)
    assert await needy(one) == await needy(two) == {run: "unrecovered"}
    await command(two, run, "abandon")
    assert await needy(one) == await needy(two) == {}


async def test_a_pause_holds_at_every_instance_and_over_a_restart(site: Site) -> None:
    one, two = site.members
    await run_sync(one.start)
    await run_sync(two.start)
    await stand(one, "pause")
    await stands(two, "paused")
    await site.publish("events.quick", 4)  # both take some
    with anyio.fail_after(30):
        while len(await site.runs()) < 4:  # noqa: ASYNC110 - in other processes
            await anyio.sleep(0.1)
    one.kill()
    await run_sync(one.start)

    assert {each["status"] for each in await site.runs()} == {"accepted"}
    assert site.effects().total() == 0
    await stand(two, "resume")
    await site.all_completed(4)


async def stand(daemon: Daemon, verb: str) -> None:
    path = f"/api/v1/pipelines/quick/{verb}"
    await run_sync(lambda: ask(daemon, path, {"reason": "a test"}))


async def stands(daemon: Daemon, standing: str) -> None:
    """Wait until the instance knows."""
    with anyio.fail_after(30):
        while True:
            told = await run_sync(ask, daemon, "/api/v1/pipelines")
            found = cast("list[dict[str, object]]", told["pipelines"])
            if ("quick", standing) in {(x["pipeline"], x["standing"]) for x in found}:
                return
            await anyio.sleep(0.05)


async def taken_over(member: Daemon) -> None:
    """Wait until a run is carried, or set aside, by whoever took it over."""
    with anyio.fail_after(30):
        while not await needy(member):  # noqa: ASYNC110 - in another process
            await anyio.sleep(0.1)


@contextmanager
def frozen(daemon: Daemon) -> Iterator[None]:
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


async def a_run(site: Site, daemon: Daemon, subject: str, but: str = "") -> str:
    """Publish one event; its run, as soon as a daemon has it, which is not that other one."""
    await site.publish(subject, 1)
    with anyio.fail_after(30):
        while True:
            found = await run_sync(ask, daemon, "/api/v1/runs")
            runs = (str(each["run"]) for each in cast("list[Answer]", found["runs"]))
            for run in (each for each in runs if each != but):
                return run
            await anyio.sleep(0.05)


async def shown(daemon: Daemon, run: str) -> Answer:
    return await run_sync(ask, daemon, f"/api/v1/runs/{run}")


async def needy(daemon: Daemon) -> dict[str, str]:
    """The runs that need a person, and the code of the reason."""
    found = await run_sync(ask, daemon, "/api/v1/runs?attention=true")
    runs = cast("list[dict[str, dict[str, str]]]", found["runs"])
    return {str(each["run"]): each["attention"]["code"] for each in runs}


async def until(daemon: Daemon, run: str, status: str, compensation: str = "") -> object:
    """Wait until the run is there; how it was undone."""
    with anyio.fail_after(60):
        while True:
            found = await shown(daemon, run)
            undone = found["compensation"]
            if found["status"] == status and compensation in ("", undone):
                return undone
            await anyio.sleep(0.05)


async def command(daemon: Daemon, run: str, what: str, wanted: int = 0) -> Answer:
    path = f"/api/v1/runs/{run}/{what}"
    okay = (wanted,) if wanted else ()
    return await run_sync(lambda: ask(daemon, path, {"reason": "a test"}, okay=okay))
