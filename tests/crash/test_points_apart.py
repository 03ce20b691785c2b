"""Killed while it takes over, forgets or compacts, a daemon loses nothing either."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from stratum_orchestrator.crashpoints import POINTS, VARIABLE
from support.daemon import Daemon, running, with_patience, write_node
from support.http import pages
from support.site import a_site_with_database

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

TICK = (
    'trigger = { pipeline = "tick", subjects = ["events.tick"] }, produces = ["tick"], '
    'handler.script = "run.nu", compensate.script = "undo.nu"'
)
UNDO = "def main [] { }"


def named(prefix: str, *but: str) -> list[str]:
    return [each for each in POINTS if each.startswith(prefix) and each not in but]


@pytest.mark.parametrize("point", named("takeover."))
async def test_killed_while_it_takes_over_it_strands_no_run(tmp_path: Path, point: str) -> None:
    async with a_site_with_database(tmp_path) as (site, _, _):
        first = site.member({"STRATUM_RUNS__TAKEOVER": "1s"})
        second = site.member({"STRATUM_RUNS__TAKEOVER": "1s"})
        await run_sync(first.start)
        await site.publish("events.gated", 3)
        await site.under_way(3)
        first.kill()

        await run_sync(die, second, point)
        site.open_gate()
        await run_sync(second.start)
        await run_sync(first.start)
        await site.all_completed(3, once=False)
        await run_sync(verify, second, 3)


@pytest.mark.parametrize("point", named("retention.", "retention.lane"))
def test_killed_while_it_forgets_it_forgets_the_rest_later(tmp_path: Path, point: str) -> None:
    write_node(tmp_path, "tick", TICK, undo=UNDO)
    with running(tmp_path) as daemon:
        for _ in range(3):
            daemon.cli("emit", "events.tick", "--wait", wanted=0)
        daemon.stop()
        usual = dict(daemon.environment)
        daemon.environment |= {
            "STRATUM_RETENTION__AGE": "1ms",
            "STRATUM_RETENTION__EVERY": "1s",
        }
        die(daemon, point)

        daemon.start()
        while any(kept(daemon)):
            with_patience()
        daemon.stop()
        daemon.environment = usual
        again = daemon.answer("gc", "--older-than", "0")
        daemon.start()
        daemon.cli("emit", "events.tick", "--wait", wanted=0)
        verify(daemon, 1)

    assert (again["runs"], again["verdicts"]) == (0, 0)


async def test_killed_while_it_has_a_lane_that_nobody_had_it_gives_it_back_later(
    tmp_path: Path,
) -> None:
    forgets = {"STRATUM_RETENTION__AGE": "1ms", "STRATUM_RETENTION__EVERY": "1s"}
    async with a_site_with_database(tmp_path) as (site, _, _):
        first, second = (site.member({"STRATUM_RUNS__TAKEOVER": "1s"}) for _ in range(2))
        third = site.member({"STRATUM_RUNS__TAKEOVER": "1s", **forgets})
        await run_sync(first.start)
        await site.publish("events.quick", 2)
        await site.all_ended(2)
        await run_sync(second.start)
        await run_sync(first.stop)
        await run_sync(second.stop)

        await run_sync(die, third, "retention.lane")
        await run_sync(third.start)

        while await run_sync(lambda: list(pages(third, "/api/v1/runs", "runs"))):
            with_patience()


@pytest.mark.parametrize("point", named("compaction."))
def test_killed_while_it_compacts_it_has_the_one_store_or_the_other(
    tmp_path: Path, point: str
) -> None:
    write_node(tmp_path, "tick", TICK, undo=UNDO)
    with running(tmp_path) as daemon:
        for _ in range(3):
            daemon.cli("emit", "events.tick", "--wait", wanted=0)
        before = ids(daemon)
        daemon.stop()

        daemon.environment[VARIABLE] = f"{point}:1"
        killed = daemon.cli("compact")
        del daemon.environment[VARIABLE]
        daemon.start()
        verify(daemon, 3)
        after = ids(daemon)
        daemon.stop()
        daemon.cli("compact", wanted=0)
        daemon.environment |= {
            "STRATUM_RETENTION__WASTE": "0",
            "STRATUM_RETENTION__EVERY": "1s",
        }
        die(daemon, point)  # as it compacts by itself
        daemon.start()
        verify(daemon, 3)

    assert killed.returncode == -signal.SIGKILL
    assert f"killed at crash point {point}:1" in killed.stderr
    assert after == before


def kept(daemon: Daemon) -> Iterator[object]:
    """Everything that is to be forgotten."""
    yield from pages(daemon, "/api/v1/runs", "runs")
    yield from pages(daemon, "/api/v1/verdicts", "verdicts")


def ids(daemon: Daemon) -> Sequence[object]:
    return [run["run"] for run in pages(daemon, "/api/v1/runs", "runs")]


def die(daemon: Daemon, point: str) -> None:
    """Start the daemon; it ends itself at the point."""
    daemon.environment[VARIABLE] = f"{point}:1"
    assert daemon.begin().wait(60) == -signal.SIGKILL, daemon.log
    del daemon.environment[VARIABLE]
    assert f"killed at crash point {point}:1" in daemon.log


def verify(daemon: Daemon, runs: int) -> None:
    """Let the oracle judge every run that is on record."""
    assert len(ids(daemon)) == runs
    daemon.cli("audit", "verify", "--all", wanted=0)
