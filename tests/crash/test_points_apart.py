"""Killed while it takes over, forgets or compacts, a daemon loses nothing either."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from stratum_orchestrator.audit.oracle import check
from stratum_orchestrator.cli.chaos.judgement import judge
from stratum_orchestrator.cli.chaos.lives import Household, cradle
from stratum_orchestrator.cli.chaos.load import Load
from stratum_orchestrator.cli.chaos.quiet import until_quiet
from stratum_orchestrator.crashpoints import POINTS, VARIABLE
from support import chaos
from support.chaos import Record, order, tell
from support.daemon import Daemon, with_patience
from support.http import ask, pages
from support.site import a_site_with_database
from support.wait import until

ROUNDS = int(os.environ.get("STRATUM_ROUNDS", "1"))  # noqa: TID251 - how much a night wants
pytestmark = [pytest.mark.crash, pytest.mark.timeout(300 * ROUNDS)]

OFTEN = {"STRATUM_RETENTION__EVERY": "200ms"}
FORGETS = OFTEN | {"STRATUM_RETENTION__AGE": "1ms"}
COMPACTS = OFTEN | {"STRATUM_RETENTION__WASTE": "0"}
ONLY_IN_USE = "compaction.begun"
KEPT, STRANDED = 3, 2


def named(prefix: str, *but: str) -> list[str]:
    return [each for each in POINTS if each.startswith(prefix) and each not in but]


async def test_killed_while_it_compacts_it_has_the_one_store_or_the_other(
    tmp_path: Path, record_property: Record
) -> None:
    chaos.write_project(tmp_path)
    points = ROUNDS * named("compaction.")
    async with cradle(chaos.variables()) as born, anyio.create_task_group() as publishers:
        household = Household(born, tmp_path / ".stratum", chaos.variables())
        load = Load(household)
        await household.begin_and_be_ready()
        for number in range(KEPT):
            await load.publish(order("good", f"kept-{number}"))
        await until_quiet(household, [each.sequence for each in load.published], 60)
        await household.stop()

        for number, point in enumerate(points):
            publishers.start_soon(load.publish, order("good", f"meanwhile-{number}"))
            await die(household, point, COMPACTS)
            if point != ONLY_IN_USE:
                await run_sync(die_at_the_command, tmp_path, point)
        life = await household.begin(**COMPACTS)
        await until(lambda: len(load.published) == KEPT + len(points))
        said = compacted(household)
        await until(lambda: compacted(household) >= said + 2)
        await life.kill()  # with its engine in a process of its own
        judgement = await judge(household, load, chaos.effects)

    assert judgement.rest.why == ""
    assert [str(each) for each in judgement.violations] == []
    assert len(judgement.observed.trails) == KEPT + len(points)
    tell(record_property, kills_while_compacting=2 * len(points) - ROUNDS + 1)


async def test_killed_while_it_forgets_it_forgets_the_rest_later(
    tmp_path: Path, record_property: Record
) -> None:
    chaos.write_project(tmp_path)
    async with cradle(chaos.variables()) as born, anyio.create_task_group() as publishers:
        household = Household(born, tmp_path / ".stratum", chaos.variables())
        old, new = Load(household), Load(household)
        for number, point in enumerate(ROUNDS * named("retention.", "retention.lane")):
            publishers.start_soon(old.publish, order("good", f"old-{number}"))
            await die(household, point, FORGETS)
        await household.begin(**FORGETS)
        await household.ready()
        await until(lambda: len(old.published) == number + 1)
        await until_quiet(household, (), 60)
        await run_sync(until_forgotten, Daemon(tmp_path))
        await household.stop()

        await household.begin_and_be_ready()
        await new.publish(order("good", "new"))
        judgement = await judge(household, new)

    assert judgement.rest.why == ""
    assert check(replace(judgement.observed, announced=())) == ()  # of the others there is news
    assert [each.run.event_id for each in judgement.observed.trails] == ["new"]
    tell(record_property, kills_while_forgetting=number + 1)


async def test_killed_while_it_takes_over_it_strands_no_run(
    tmp_path: Path, record_property: Record
) -> None:
    soon = {"STRATUM_RUNS__TAKEOVER": "5s"}
    async with a_site_with_database(tmp_path) as (site, _, _):
        first, second = site.member(soon), site.member(soon)
        third = site.member({**soon, **FORGETS})
        for lap in range(ROUNDS):
            site.gate.unlink(missing_ok=True)
            await run_sync(first.start)
            begun = site.effects().total()
            await site.publish("events.gated", STRANDED)
            await site.under_way(begun + STRANDED)
            first.kill()
            for point in named("takeover."):
                await run_sync(die_starting, second, point)
            site.open_gate()
            await run_sync(second.start)
            await run_sync(first.start)
            await site.all_completed(STRANDED * (lap + 1), once=False)
            await run_sync(lambda: second.cli("audit", "verify", "--all", wanted=0))
            await run_sync(second.stop)
            await run_sync(first.stop)

        for _ in range(ROUNDS):
            await run_sync(die_starting, third, "retention.lane")
        await run_sync(third.start)
        await run_sync(until_forgotten, third)
    kills = ROUNDS * (len(named("takeover.")) + 1)
    tell(record_property, kills_while_taking_over=kills)


async def die(household: Household, point: str, variables: dict[str, str]) -> None:
    """Begin a daemon; it ends itself at the point."""
    life = await household.begin(**variables, **{VARIABLE: f"{point}:1"})
    with anyio.fail_after(60):
        assert await life.over() == -signal.SIGKILL, household.log.read_text()[-4000:]


def compacted(household: Household) -> int:
    """How often its daemons have compacted the store."""
    return household.log.read_text().count("store compacted")


def die_at_the_command(project: Path, point: str) -> None:
    """Compact with the daemon down; the command ends itself at the point."""
    killed = Daemon(project, {VARIABLE: f"{point}:1"}).cli("compact")
    assert killed.returncode == -signal.SIGKILL
    assert f"killed at crash point {point}:1" in killed.stderr


def die_starting(daemon: Daemon, point: str) -> None:
    """Start the daemon as a process of its own; it ends itself at the point."""
    daemon.environment[VARIABLE] = f"{point}:1"
    assert daemon.begin().wait(60) == -signal.SIGKILL, daemon.log
    del daemon.environment[VARIABLE]
    assert f"killed at crash point {point}:1" in daemon.log


def until_forgotten(daemon: Daemon) -> None:
    """Wait until neither runs nor verdicts are left."""
    while runs := list(pages(daemon, "/api/v1/runs", "runs")):
        for run in runs:
            if run["compensation"] == "partial" and not run["waived"]:
                waive(daemon, str(run["run"]))
        with_patience()
    while list(pages(daemon, "/api/v1/verdicts", "verdicts")):
        with_patience()


def waive(daemon: Daemon, run: str) -> None:
    """Settle a run that was killed at each of its attempts: it is kept until somebody does."""
    found: Any = ask(daemon, f"/api/v1/runs/{run}")
    for each in found["compensations"]:
        if each["status"] == "failed":
            words = ("compensation", "waive", run, each["node"], "--reason", "killed too often")
            daemon.cli(*words)
