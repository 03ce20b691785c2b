"""What `stratum new` writes holds at once, in an empty folder, and so does what ships."""

from pathlib import Path

import pytest

from stratum_orchestrator.cli.template import templates
from support.daemon import Daemon, running

pytestmark = pytest.mark.acceptance

every_template = pytest.mark.parametrize("name", templates())


@every_template
def test_a_template_passes_lint_and_its_own_tests(name: str, tmp_path: Path) -> None:
    project = Daemon(tmp_path)
    project.cli("new", "pipeline", "mine", "--template", name, wanted=0)

    linted = project.cli("lint", wanted=0)
    nodes = project.answer("node", "test", "nodes")
    tried = project.answer("test", "mine")
    lived = project.answer("test", "mine", "--live")

    assert "0 errors, 0 warnings" in linted.stdout
    assert all(each["ok"] for each in nodes)
    assert tried["stood_in"]
    assert lived["stood_in"] == []
    assert [each["run"]["status"] for each in (tried, lived)] == ["completed", "completed"]


def test_a_daemon_runs_what_a_template_makes(tmp_path: Path) -> None:
    Daemon(tmp_path).cli("new", "pipeline", "mine", wanted=0)

    with running(tmp_path) as daemon:
        data = '{"order": "A-1", "amount": 1999}'
        emitted = daemon.cli("emit", "events.mine.requested", "-d", data, "--wait")

    assert (emitted.returncode, emitted.stderr) == (0, "")
    assert "completed" in emitted.stdout


def test_a_node_that_is_told_to_fail_has_the_others_undone(tmp_path: Path) -> None:
    project = Daemon(tmp_path)
    project.cli("new", "pipeline", "mine", wanted=0)

    tried = project.answer("test", "mine", "--live", "--fail", "mine-charge")

    assert tried["run"]["compensation"] == "clean"
    assert [each["node"] for each in tried["run"]["compensations"]] == ["mine-reserve"]


@pytest.mark.parametrize("pipeline", ["order-saga", "python-package"])
def test_what_ships_can_be_tried(pipeline: str, tmp_path: Path) -> None:
    tried = Daemon(tmp_path).answer("test", pipeline)

    assert tried["run"]["status"] == "completed"
    assert tried["stood_in"]


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    Daemon(tmp_path).cli("test", "order-saga", "--live", wanted=0)

    assert list(tmp_path.iterdir()) == []


def test_a_compensation_that_fails_is_found(tmp_path: Path) -> None:
    project = Daemon(tmp_path)
    project.cli("new", "pipeline", "mine", wanted=0)
    undo = tmp_path / "nodes" / "mine" / "reserve" / "undo.nu"
    undo.write_text('def main [] { error make { msg: "no" } }\n')
    node = undo.with_name("node.ncl")
    node.write_text(
        node.read_text().replace('timeout = "30s" },', "retry = { attempts = 1 } },")
    )

    tried = project.answer("test", "mine", "--live", "--fail", "mine-charge", wanted=3)

    assert tried["run"]["compensation"] == "partial"


def test_a_trial_that_fails_says_so(tmp_path: Path) -> None:
    project = Daemon(tmp_path)
    project.cli("new", "pipeline", "mine", wanted=0)
    data = '{"order": "A-1", "amount": 100001}'

    stood_in = project.cli("test", "mine", "-d", data, wanted=0)
    lived = project.cli("test", "mine", "-d", data, "--live", wanted=1)

    assert "mine-charge was not really run" in stood_in.stdout
    assert "the card was declined" in lived.stdout
    assert "does not hold" in lived.stdout
