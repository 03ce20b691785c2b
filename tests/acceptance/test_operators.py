"""What operators can do about runs that need them, with the real daemon."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import Daemon, running, with_patience, write_node
from support.http import until_over
from support.processes import descendants

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

SHIP = """
def main [] {
  if not ($env.STRATUM_DATA | path join "open" | path exists) {
    error make --unspanned { msg: "the gate is closed" }
  }
  { shipped: 1 } | to json --raw
}
"""
REFUND = """
def main [] {
  if not ($env.STRATUM_DATA | path join "bank" | path exists) {
    error make --unspanned { msg: "the bank is closed" }
  }
}
"""
NAP = "def main [] { sleep 60sec; { nap: 1 } | to json --raw }\n"


def write_nodes(project: Path) -> None:
    write_node(
        project,
        "charge",
        'trigger = { pipeline = "pay", subjects = ["events.pay"] }, produces = ["charge"], '
        'handler.script = "run.nu", compensate.script = "undo.nu"',
        undo=REFUND,
    )
    write_node(
        project,
        "ship",
        'consumes = ["charge"], produces = ["shipped"], handler.script = "run.nu"',
        run=SHIP,
    )
    write_node(
        project,
        "nap",
        'trigger = { pipeline = "nap", subjects = ["events.nap"] }, produces = ["nap"], '
        'handler.script = "run.nu", effect = \'pure',
        run=NAP,
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    write_nodes(project)
    with running(project) as up:
        yield up


@pytest.fixture
def daemon(shared: Daemon) -> Daemon:
    """The one daemon of these tests, with every gate closed and nobody in need."""
    for name in ("bank", "open"):
        gate(shared, name).unlink(missing_ok=True)
    for run, code in needy(shared):
        assert code == "partial"
        shared.cli("compensation", "waive", run, "charge", "--reason", "tidy up", wanted=0)
    return shared


def emit(daemon: Daemon, subject: str, *more: str, wanted: int = 0) -> dict[str, object]:
    return daemon.answer("emit", subject, *more, wanted=wanted)


def gate(daemon: Daemon, name: str) -> Path:
    return daemon.home / "pipelines" / "pay" / name


def needy(daemon: Daemon) -> list[tuple[str, str]]:
    """The runs that need a person, and why."""
    done = daemon.cli("runs", "--attention", "--output", "json", wanted=0)
    return [(each["run"], each["attention"]["code"]) for each in json.loads(done.stdout)]


def sleeping(daemon: Daemon) -> str:
    """A run whose step takes long, once its process runs."""
    verdict = emit(daemon, "events.nap")["verdict"]
    assert isinstance(verdict, dict)
    run = str(verdict["runs"][0])
    while not any(_is_nu(pid) for pid in descendants(daemon.pid)):
        with_patience()
    return run


def _is_nu(pid: int) -> bool:
    try:
        return b"run.nu" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_what_was_not_undone_is_tried_again_until_the_run_is_clean(daemon: Daemon) -> None:
    run = str(emit(daemon, "events.pay", "--wait", wanted=3)["run"])
    words = ("compensation", "retry", run, "charge", "--reason", "called the bank", "--wait")
    assert needy(daemon) == [(run, "partial")]
    assert "the bank is closed" in daemon.cli("doctor").stdout

    daemon.cli(*words, wanted=3)
    gate(daemon, "bank").touch()
    undone = daemon.answer(*words, wanted=1)

    assert (undone["status"], undone["compensation"]) == ("compensated", "clean")
    assert needy(daemon) == []
    daemon.cli("run", "journal", run, wanted=0)


def test_what_is_waived_needs_nobody_and_stays_partial(daemon: Daemon) -> None:
    run = str(emit(daemon, "events.pay", "--wait", wanted=3)["run"])

    daemon.cli("compensation", "waive", run, "charge", "--reason", "paid by hand", wanted=0)
    again = daemon.cli("compensation", "waive", run, "charge", "--reason", "again", wanted=1)

    shown = daemon.answer("run", "show", run)
    assert (shown["compensation"], shown["waived"]) == ("partial", True)
    assert needy(daemon) == []
    assert "is waived" in again.stderr
    assert "waived by operator: paid by hand" in daemon.cli("run", "show", run).stdout
    journal = daemon.cli("run", "journal", run, wanted=0).stdout
    assert "compensation.waived" in journal
    assert "operators.runs" in journal


def test_an_ended_run_is_retried_as_a_new_one(daemon: Daemon) -> None:
    old = emit(daemon, "events.pay", "--id", "order-1", "--wait", wanted=3)
    gate(daemon, "open").touch()
    words = ("run", "retry", str(old["run"]), "--reason", "the gate is open", "--wait")

    new = daemon.answer(*words)
    refused = daemon.cli(*words, wanted=1)
    again = daemon.answer(*words, "--again")

    assert (new["status"], again["status"]) == ("completed", "completed")
    assert len({old["run"], new["run"], again["run"]}) == 3
    assert new["event"] == {**_event(old), "id": "order-1/retry/1"}
    assert new["authorization"]["by"] == "operator"  # type: ignore[index]
    assert f"its retry {new['run']} completed" in refused.stderr


def test_an_abandoned_run_ends_with_its_processes(daemon: Daemon) -> None:
    run = sleeping(daemon)

    done = daemon.cli("run", "abandon", run, "--reason", "it never wakes", wanted=0)
    until_over(daemon, run)  # which it is when its processes are
    again = daemon.cli("run", "abandon", run, "--reason", "really", wanted=1)

    shown = daemon.answer("run", "show", run)
    assert (shown["status"], shown["compensations"]) == ("abandoned", [])
    assert shown["cause"] == "abandoned by operator: it never wakes"
    assert not any(_is_nu(pid) for pid in descendants(daemon.pid))
    assert "Nothing is undone: nap of nap stays as it is." in done.stderr
    assert "it is abandoned already" in again.stderr
    daemon.cli("run", "journal", run, wanted=0)


def test_a_run_that_cannot_be_recovered_is_named_and_holds_nobody_up(daemon: Daemon) -> None:
    run = sleeping(daemon)
    plan = str(daemon.answer("run", "show", run)["plan"])
    daemon.kill()
    kept = next((daemon.home / "content").rglob(f"*{plan.removeprefix('sha256:')}*"))
    kept.chmod(0o600)
    kept.unlink()
    with (daemon.project / "nodes" / "nap" / "run.nu").open("a") as script:
        script.write("# the plan of now is another one\n")

    daemon.start()

    other = sleeping(daemon)
    assert needy(daemon) == [(run, "unrecovered")]
    daemon.cli("run", "abandon", other, "--reason", "it did go on", wanted=0)
    refused = daemon.cli("run", "retry", run, "--reason", "try", wanted=1)
    assert "cannot be read" in refused.stderr
    daemon.cli("run", "abandon", run, "--reason", "its plan is lost", wanted=0)
    assert needy(daemon) == []


def _event(run: dict[str, object]) -> dict[str, object]:
    event = run["event"]
    assert isinstance(event, dict)
    return event
