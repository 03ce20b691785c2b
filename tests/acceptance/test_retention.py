"""What is old is forgotten, with the daemon down and while it runs."""

from pathlib import Path

import pytest

from support.daemon import running, with_patience, write_node
from support.http import pages

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
    settings = {"STRATUM_RETENTION__AGE": "1ms", "STRATUM_RETENTION__EVERY": "1s"}
    with running(tmp_path, settings) as daemon:
        daemon.cli("emit", "events.tick", "--wait", wanted=0)

        while list(pages(daemon, "/api/v1/runs", "runs")):
            with_patience()
