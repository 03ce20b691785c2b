"""`stratum chaos` on a project of the user's own."""

import json
import shutil
from pathlib import Path

import pytest

from support.daemon import REPOSITORY, Daemon

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

ORDER = {"order": "o-1", "item": "lamp", "quantity": 1, "amount": 500}


@pytest.fixture
def project(tmp_path: Path) -> Daemon:
    shutil.copytree(REPOSITORY / "nodes" / "order-saga", tmp_path / "nodes" / "order-saga")
    return Daemon(tmp_path)


def test_a_project_comes_through_and_its_home_is_not_touched(project: Daemon) -> None:
    words = ("chaos", "events.orders.placed", "--data", json.dumps(ORDER))

    report = project.answer(*words, "--kills", "4", "--seed", "7", "--everything")

    mischief = report["mischief"]
    assert isinstance(mischief, dict)
    assert any(mischief.values())
    assert (report["seed"], report["violations"], report["settled"]) == (7, [], True)
    assert int(str(report["kills"])) + int(str(report["broker_kills"])) == 4
    assert not project.home.exists()


def test_an_event_that_opens_nothing_is_refused_before_anything_is_killed(
    project: Daemon,
) -> None:
    done = project.cli("chaos", "events.orders.placed", "--data", '{"order": 1}', wanted=4)

    assert "the event opens no run" in done.stderr
