"""What `stratum new` writes holds at once, in an empty folder, and so does what ships."""

from pathlib import Path

import pytest

from stratum_orchestrator.cli.template import templates
from support.daemon import running
from support.shell import told, within

pytestmark = pytest.mark.acceptance

every_template = pytest.mark.parametrize("name", templates())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what is written without saying more."""
    within(tmp_path, "new", "pipeline", "mine", wanted=0)
    return tmp_path


@every_template
def test_a_template_passes_lint_and_its_own_tests(name: str, tmp_path: Path) -> None:
    within(tmp_path, "new", "pipeline", "mine", "--template", name, wanted=0)

    linted = within(tmp_path, "lint", wanted=0)
    nodes = told(tmp_path, "node", "test", "nodes")
    tried = told(tmp_path, "test", "mine")
    lived = told(tmp_path, "test", "mine", "--live")

    assert "0 errors, 0 warnings" in linted.stdout
    assert all(each["ok"] for each in nodes)  # type: ignore[index]
    assert tried["stood_in"]
    assert lived["stood_in"] == []
    runs = [tried["run"], lived["run"]]
    assert [each["status"] for each in runs] == ["completed", "completed"]  # type: ignore[index]


def test_a_daemon_runs_what_a_template_makes(project: Path) -> None:
    with running(project) as daemon:
        data = '{"order": "A-1", "amount": 1999}'
        emitted = daemon.cli("emit", "events.mine.requested", "-d", data, "--wait")

    assert (emitted.returncode, emitted.stderr) == (0, "")
    assert "completed" in emitted.stdout


def test_a_node_that_is_told_to_fail_has_the_others_undone(project: Path) -> None:
    tried = told(project, "test", "mine", "--live", "--fail", "mine-charge")

    run = tried["run"]
    assert run["compensation"] == "clean"  # type: ignore[index]
    assert [each["node"] for each in run["compensations"]] == ["mine-reserve"]  # type: ignore[index]


@pytest.mark.parametrize("pipeline", ["order-saga", "python-package"])
def test_what_ships_can_be_tried(pipeline: str, tmp_path: Path) -> None:
    tried = told(tmp_path, "test", pipeline)

    assert tried["run"]["status"] == "completed"  # type: ignore[index]
    assert tried["stood_in"]


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    within(tmp_path, "test", "order-saga", "--live", wanted=0)

    assert list(tmp_path.iterdir()) == []


def test_a_compensation_that_fails_is_found(project: Path) -> None:
    undo = project / "nodes" / "mine" / "reserve" / "undo.nu"
    undo.write_text('def main [] { error make { msg: "no" } }\n')
    node = undo.with_name("node.ncl")
    node.write_text(
        node.read_text().replace('timeout = "30s" },', "retry = { attempts = 1 } },")
    )

    tried = told(project, "test", "mine", "--live", "--fail", "mine-charge", wanted=3)

    assert tried["run"]["compensation"] == "partial"  # type: ignore[index]


def test_a_trial_that_fails_says_so(project: Path) -> None:
    data = '{"order": "A-1", "amount": 100001}'

    stood_in = within(project, "test", "mine", "-d", data, wanted=0)
    lived = within(project, "test", "mine", "-d", data, "--live", wanted=1)

    assert "mine-charge was not really run" in stood_in.stdout
    assert "the card was declined" in lived.stdout
    assert "does not hold" in lived.stdout
