"""Crash points: deadly when armed, nothing otherwise, and each documented."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stratum_orchestrator import crashpoints
from stratum_orchestrator.crashpoints import POINTS, UNARMED, UnknownCrashPoint, armed
from support.daemon import REPOSITORY
from support.records import a_run

_DIES = """
from stratum_orchestrator.crashpoints import armed
points = armed("stage.done:2")
points.passed("stage.begun")
points.passed("stage.done")
print("once", flush=True)
points.passed("stage.done")
print("twice", flush=True)
"""


def test_an_armed_point_kills_at_the_pass_that_was_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIES],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},  # noqa: TID251 - a child of ours
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "once\n"
    assert done.stderr == "killed at crash point stage.done:2\n"


def test_unarmed_points_are_passed() -> None:
    UNARMED.passed("stage.done")
    UNARMED.recorded("durable", [a_run("e-1")])


def test_points_that_are_not_asked_for_are_passed() -> None:
    points = armed("run.completed.durable:1")

    points.passed("stage.done")
    points.recorded("before", [a_run("e-1")])


@pytest.mark.parametrize("asked", ["stage.done", "stage.done:0", "stage.done:x", "stage:1", ""])
def test_what_is_no_point_is_refused_with_the_nearest(asked: str) -> None:
    with pytest.raises(UnknownCrashPoint, match=r"did you mean|docs/chaos.md"):
        armed(asked)


def test_the_page_names_every_point() -> None:
    page = (Path(REPOSITORY) / "docs" / "chaos.md").read_text()
    _, _, table = page.partition("## Crash points")

    found = dict(re.findall(r"^\| `(\S+)` \| (.+) \|$", table, re.MULTILINE))

    assert found == POINTS


def test_every_point_but_the_generated_is_named_where_it_is_passed() -> None:
    packages = ("stratum_graph", "stratum_state", "platform_nats", "stratum_orchestrator")
    files = [each for name in packages for each in (REPOSITORY / name).rglob("*.py")]
    own = Path(crashpoints.__file__)
    source = "\n".join(each.read_text() for each in files if each != own)

    absent = {name for name in POINTS if f'"{name}"' not in source and not _generated(name)}

    assert absent == set()


def _generated(name: str) -> bool:
    moments = ("before", "durable", "believed", "told", "spawned", "fed", "heard")
    return name.endswith(moments)
