"""What is old is forgotten, with the daemon down and while it runs."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from stratum_graph.definitions.attic import UNUSED_S
from stratum_graph.definitions.content import ContentStore
from support.daemon import running, with_patience, write_node
from support.http import pages
from support.site import a_site
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


def prepare(project: Path) -> None:
    write_node(
        project,
        "tick",
        'trigger = { pipeline = "tick", subjects = ["events.tick"] }, produces = ["tick"], '
        'handler.script = "run.nu", effect = \'pure',
    )


def test_old_runs_go_when_asked_with_the_daemon_down(tmp_path: Path) -> None:
    prepare(tmp_path)
    with running(tmp_path) as daemon:
        for _ in range(3):
            daemon.cli("emit", "events.tick", "--wait", wanted=0)
        refused = daemon.cli("gc", "--older-than", "0")
        daemon.stop()

        asked = daemon.answer("gc", "--older-than", "0", "--dry-run")
        kept = daemon.answer("gc", "--dry-run")
        done = daemon.answer("gc", "--older-than", "0")
        again = daemon.answer("gc", "--older-than", "0")
        shrunk = daemon.answer("compact")
        daemon.start()
        runs = list(pages(daemon, "/api/v1/runs", "runs"))
        daemon.cli("emit", "events.tick", "--wait", wanted=0)

    assert refused.returncode == 75
    assert "in use by another process" in refused.stderr
    assert (asked["runs"], asked["verdicts"]) == (3, 3)
    assert (kept["runs"], kept["verdicts"]) == (0, 0)
    assert (done["runs"], done["verdicts"]) == (3, 3)
    assert (again["runs"], again["verdicts"]) == (0, 0)
    assert shrunk["records"]
    assert runs == []


def test_a_running_daemon_forgets_by_itself(tmp_path: Path) -> None:
    prepare(tmp_path)
    settings = {
        "STRATUM_RETENTION__AGE": "1ms",
        "STRATUM_RETENTION__EVERY": "200ms",
        "STRATUM_NATS__DUPLICATE_WINDOW": "500ms",
    }
    with running(tmp_path, settings) as daemon:
        daemon.cli("emit", "events.tick", wanted=0)  # who waits may come when all is forgotten
        while '"run ended"' not in daemon.log:
            with_patience()

        for what in ("runs", "verdicts"):
            while list(pages(daemon, f"/api/v1/{what}", what)):
                with_patience()
        while "stream shortened" not in daemon.log:
            with_patience()


async def test_what_a_live_run_needs_outlives_every_collection(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, _):
        forgets = {"STRATUM_RETENTION__AGE": "1ms", "STRATUM_RETENTION__EVERY": "1s"}
        daemon = site.member()
        await run_sync(daemon.start)
        await site.publish("events.gated", 1)
        await site.under_way(1)
        daemon.kill()
        with (tmp_path / "nodes" / "gated-two" / "run.nu").open("a") as script:
            script.write("# what is in force now is another script\n")
        needless = ContentStore(tmp_path / "content").put(b"needless")
        age(tmp_path / "content")
        told = await run_sync(daemon.answer, "gc", "--dry-run")

        daemon.environment |= forgets
        await run_sync(daemon.start)
        await until(lambda: needless.removeprefix("sha256:") not in blobs(tmp_path))
        site.open_gate()
        while await site.runs():
            with_patience()

    assert told["content"] == len({"needless", "the trees of both quick nodes"}) + 1
    assert Counter(site.effects().values()) == {2: 1, 1: 1}  # the first step ran again


def blobs(project: Path) -> list[str]:
    return [each.name for each in (project / "content" / "blobs").iterdir()]


def age(content: Path) -> None:
    """Let everything look as if nobody had used it for long."""
    then = time.time() - UNUSED_S - 60
    for each in content.rglob("*"):
        os.utime(each, (then, then))
