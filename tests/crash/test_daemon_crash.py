"""The daemon is killed in the middle of a run, and the next one carries it on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon, with_patience, write_node

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

WAITS = """
def main [] {
  let step = $in | from json | get step
  let note = $"($step.attempt) ($step.idempotency_key)\\n"
  $note | save --raw --append ($env.STRATUM_DATA | path join "SCRIPT")
  while not ($env.STRATUM_DATA | path join "GATE" | path exists) { sleep 50ms }
  { OUTPUT } | to json --raw
}
"""
FAILS_IF_TOLD = """
def main [] {
  let given = $in | from json
  if ($given.event.data.fail? == true) { error make --unspanned { msg: "as told" } }
  { third: 1 } | to json --raw
}
"""
NOTES_UNDOING = (
    "def main [] { 'x' | save --raw --append ($env.STRATUM_DATA | path join undone) }"
)


def waiting(script: str, gate: str, output: str = "") -> str:
    """A script that notes its attempt, then waits until the gate is there."""
    return WAITS.replace("SCRIPT", script).replace("GATE", gate).replace("OUTPUT", output)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    write_node(
        tmp_path,
        "first",
        'trigger = { pipeline = "p", subjects = ["events.go"] }, produces = ["first"], '
        'handler.script = "run.nu", compensate.script = "undo.nu"',
        undo=NOTES_UNDOING,
    )
    write_node(
        tmp_path,
        "second",
        'consumes = ["first"], produces = ["second"], handler.script = "run.nu", '
        'compensate.script = "undo.nu"',
        run=waiting("second", "go", "second: 1"),
        undo=waiting("undo-second", "back"),
    )
    write_node(
        tmp_path,
        "third",
        'consumes = ["second"], produces = ["third"], handler.script = "run.nu"',
        run=FAILS_IF_TOLD,
    )
    made = Daemon(tmp_path)
    yield made
    made.end()


def notes(daemon: Daemon, name: str) -> list[str]:
    file = daemon.home / "pipelines" / "p" / name
    return file.read_text().splitlines() if file.exists() else []


def until_noted(daemon: Daemon, name: str, times: int) -> None:
    while len(notes(daemon, name)) < times:
        with_patience()


def open_gate(daemon: Daemon, name: str) -> None:
    (daemon.home / "pipelines" / "p" / name).touch()


def finished(daemon: Daemon, wanted: int) -> dict[str, object]:
    [run] = json.loads(daemon.cli("runs", "--output", "json", wanted=0).stdout)
    daemon.cli("run", "watch", run["run"], wanted=wanted)
    shown = daemon.answer("run", "show", run["run"])
    daemon.cli("run", "journal", run["run"], wanted=0)
    return shown


def test_killed_in_a_step_the_run_goes_on_with_the_same_key(daemon: Daemon) -> None:
    daemon.start()
    daemon.cli("emit", "events.go", wanted=0)
    until_noted(daemon, "second", 1)

    daemon.kill()
    daemon.start()
    until_noted(daemon, "second", 2)
    open_gate(daemon, "go")

    run = finished(daemon, wanted=0)
    assert run["status"] == "completed"
    first, second = (line.split() for line in notes(daemon, "second"))
    assert (first[0], second[0]) == ("1", "2")
    assert first[1] == second[1]
    steps = run["steps"]
    assert isinstance(steps, list)
    assert sorted((each["node"], each["attempt"], each["status"]) for each in steps) == [
        ("first", 1, "succeeded"),
        ("second", 1, "lost"),
        ("second", 2, "succeeded"),
        ("third", 1, "succeeded"),
    ]


def test_killed_while_undoing_the_undoing_goes_on(daemon: Daemon) -> None:
    daemon.start()
    daemon.cli("emit", "events.go", "--data", '{"fail": true}', wanted=0)
    until_noted(daemon, "second", 1)
    open_gate(daemon, "go")
    until_noted(daemon, "undo-second", 1)

    daemon.kill()
    daemon.start()
    until_noted(daemon, "undo-second", 2)
    open_gate(daemon, "back")

    run = finished(daemon, wanted=1)
    assert (run["status"], run["compensation"]) == ("compensated", "clean")
    assert notes(daemon, "undone") == ["x"]


def test_processes_of_a_killed_daemon_are_ended_before_their_step_runs_again(
    daemon: Daemon,
) -> None:
    daemon.start()
    daemon.cli("emit", "events.go", wanted=0)
    until_noted(daemon, "second", 1)
    [orphan] = steps_of(daemon)

    daemon.kill()
    daemon.start()
    until_noted(daemon, "second", 2)

    assert not is_alive(orphan)
    open_gate(daemon, "go")
    finished(daemon, wanted=0)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has reaped does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def steps_of(daemon: Daemon) -> list[int]:
    """The processes of steps of this daemon's home."""
    marker = (daemon.home / "instance").read_bytes().strip()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"STRATUM_STEP=" in environment and marker in environment:
            found.append(int(entry.name))
    return found
