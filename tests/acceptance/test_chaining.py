"""The end of a run starts the pipelines that wait for it: once, whatever happens meanwhile."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.daemon import Daemon, running, with_patience, write_node

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

HANDED_ON = """
def main [] {
  let data = $in | from json | get event.data
  { second: { after: $data.run, got: $data.outputs.first } } | to json --raw
}
"""
PURE = 'handler.script = "run.nu", effect = \'pure'
KILLED = -9


def write_nodes(project: Path) -> None:
    """`second` follows `first`; `circle` follows itself."""
    for name, subject, run in (
        ("first", "events.go", ""),
        ("second", "events.stratum.run.completed.first", HANDED_ON),
        ("circle", "events.round", ""),
    ):
        more = ', "events.stratum.run.completed.circle"' if name == "circle" else ""
        write_node(
            project,
            name,
            f'trigger = {{ pipeline = "{name}", subjects = ["{subject}"{more}] }}, '
            f'produces = ["{name}"], {PURE}',
            run=run,
        )


def runs(daemon: Daemon, pipeline: str) -> list[dict[str, object]]:
    said = daemon.cli("runs", "--pipeline", pipeline, "-o", "jsonl", wanted=0).stdout
    return [json.loads(line) for line in said.splitlines()]


def verdicts(daemon: Daemon) -> list[dict[str, object]]:
    said = daemon.cli("verdicts", "-o", "jsonl", wanted=0).stdout
    return [json.loads(line) for line in said.splitlines()]


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        with_patience()


def has_completed(daemon: Daemon, pipeline: str) -> bool:
    return [each["status"] for each in runs(daemon, pipeline)] == ["completed"]


def test_one_pipeline_runs_once_after_another_and_gets_what_it_made(tmp_path: Path) -> None:
    write_nodes(tmp_path)
    with running(tmp_path) as daemon:
        first = daemon.answer("emit", "events.go", "--wait")
        wait_for(lambda: has_completed(daemon, "second"))
        [second] = runs(daemon, "second")
        shown = daemon.answer("run", "show", str(second["run"]))
        audited = daemon.cli("audit", "verify", "--all")

    [step] = shown["steps"]  # type: ignore[misc]
    assert step["outputs"]["second"]["after"] == first["run"]
    assert shown["event"]["principal"] == "stratum"  # type: ignore[index]
    assert shown["authorization"]["policies"] == ["services.follow"]  # type: ignore[index]
    assert audited.returncode == 0, audited.stdout


@pytest.mark.parametrize(
    "point", ["run.completed.durable", "notice.due", "notice.stored", "record.told"]
)
def test_killed_between_the_end_and_the_next_run_that_still_comes_once(
    tmp_path: Path, point: str
) -> None:
    write_nodes(tmp_path)
    nth = 4 if point == "record.told" else 1  # accepted, started, succeeded, completed
    daemon = Daemon(tmp_path, {"STRATUM_CRASH_AT": f"{point}:{nth}"})
    try:
        daemon.start()
        daemon.cli("emit", "events.go")
        assert daemon.ended() == KILLED
        del daemon.environment["STRATUM_CRASH_AT"]
        daemon.start()
        wait_for(lambda: has_completed(daemon, "second"))
        daemon.stop()
        daemon.start()  # nothing is left to be published
        daemon.cli("emit", "events.go", "--wait", wanted=0)
        wait_for(lambda: len(runs(daemon, "second")) > 1)
        found = runs(daemon, "second")
    finally:
        daemon.end()

    assert len(found) == 2
    assert len({each["event"]["id"] for each in found}) == 2  # type: ignore[index]


def test_a_pipeline_that_starts_itself_is_warned_of_and_ends(tmp_path: Path) -> None:
    write_nodes(tmp_path)
    with running(tmp_path, {"STRATUM_RUNS__DEPTH": "3"}) as daemon:
        said = daemon.cli("lint")
        daemon.cli("emit", "events.round", "--wait", wanted=0)
        wait_for(lambda: any(each["code"] == "too-deep" for each in verdicts(daemon)))
        rounds = runs(daemon, "circle")

    assert "pipelines start each other by their ends: circle -> circle" in said.stdout
    assert len(rounds) == 4  # the first, and three that follow


def test_nobody_says_by_hand_that_a_run_has_ended(tmp_path: Path) -> None:
    write_nodes(tmp_path)
    with running(tmp_path) as daemon:
        daemon.cli("emit", "events.stratum.run.completed.first", wanted=4)
        [forged] = verdicts(daemon)

    assert forged["code"] == "denied"
    assert "guard.lifecycle" in str(forged["reason"])
