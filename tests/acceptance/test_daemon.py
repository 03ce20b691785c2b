"""The daemon as its users meet it: a process, a command line, an HTTP API."""

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import REPOSITORY, Daemon, running, with_patience, write_node
from support.processes import descendants

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

ORDER = {"order": "o-1", "item": "lamp", "quantity": 1, "amount": 500}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests that only look or publish."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "nodes" / "order-saga", project / "nodes" / "order-saga")
    write_node(
        project,
        "nap",
        'trigger = { pipeline = "nap", subjects = ["events.nap"] }, produces = ["nap"], '
        'handler.script = "run.nu", effect = \'pure',
        run="def main [] { sleep 10min; { nap: 1 } | to json --raw }",
    )
    write_node(
        project,
        "mail",
        'trigger = { pipeline = "mail", subjects = ["events.mail"] }, produces = ["mail"], '
        'handler.script = "run.nu"',
    )
    write_node(
        project,
        "bounce",
        'consumes = ["mail"], produces = ["bounced"], handler.script = "run.nu", '
        "effect = 'pure",
        run="def main [] { error make --unspanned { msg: 'no such address' } }",
    )
    write_node(
        project,
        "file-away",
        'consumes = ["bounced"], handler.script = "run.nu", produces = ["file-away"]',
    )
    with running(project) as up:
        yield up


def emit(
    daemon: Daemon, subject: str, data: object, *more: str, wanted: int
) -> dict[str, object]:
    words = ("emit", subject, "--data", json.dumps(data), "--wait", *more)
    return daemon.answer(*words, wanted=wanted)


def ask(daemon: Daemon, path: str, token: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{daemon.address['http']}{path}")  # noqa: S310 - loopback
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_an_event_is_emitted_and_its_run_printed(daemon: Daemon) -> None:
    run = emit(daemon, "events.orders.placed", ORDER, wanted=0)

    assert run["status"] == "completed"
    assert run["pipeline"] == "order-saga"
    assert run["stages"] == [
        ["reserve-stock", "screen-order"],
        ["charge-payment"],
        ["ship-order"],
    ]
    steps = run["steps"]
    assert isinstance(steps, list)
    assert {
        "node",
        "stage",
        "status",
        "attempt",
        "started",
        "ended",
        "outputs",
        "error",
    } <= set(steps[0])
    assert run["compensation"] is None
    assert run["compensations"] == []


def test_a_failed_run_is_undone_and_says_why(daemon: Daemon) -> None:
    order = {**ORDER, "order": "o-2", "fail": "ship"}

    run = emit(daemon, "events.orders.placed", order, wanted=1)

    assert (run["status"], run["compensation"]) == ("compensated", "clean")
    assert "the carrier refuses the parcel" in str(run["cause"])
    undone = run["compensations"]
    assert isinstance(undone, list)
    assert [each["node"] for each in undone] == ["charge-payment", "reserve-stock"]
    ledger = daemon.home / "pipelines" / "order-saga" / "stock" / "o-2.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [each["kind"] for each in entries] == ["reserved", "returned"]


def test_what_cannot_be_undone_is_told_by_the_exit_code(daemon: Daemon) -> None:
    run = emit(daemon, "events.mail", {}, wanted=3)

    assert (run["status"], run["compensation"]) == ("compensated", "partial")


def test_an_event_that_breaks_the_schema_is_refused(daemon: Daemon) -> None:
    words = ("emit", "events.orders.placed", "--data", '{"order": 1}', "--wait")

    done = daemon.cli(*words, wanted=4)

    assert "event.order" in done.stdout + done.stderr


def test_an_unknown_publisher_is_refused_with_the_remedy(daemon: Daemon) -> None:
    daemon.cli("keys", "new", "stranger", wanted=0)

    done = daemon.cli("emit", "events.nap", "--as", "stranger", "--wait")

    assert done.returncode != 0
    assert "refuses the key" in done.stderr


def test_waiting_has_an_end_and_cancelling_undoes(daemon: Daemon) -> None:
    emitted = daemon.cli("emit", "events.nap", "--wait", "--timeout", "1", wanted=5)
    assert emitted.stdout + emitted.stderr
    while not (listed := daemon.answer("runs", "--pipeline", "nap")):
        with_patience()
    run = str(listed[0]["run"])  # type: ignore[index]

    daemon.cli("run", "cancel", run, "--reason", "enough slept", wanted=0)
    daemon.cli("run", "watch", run, wanted=1)

    shown = daemon.answer("run", "show", run)
    assert shown["status"] == "compensated"
    assert shown["cause"] == "cancelled by operator: enough slept"


def test_a_subject_that_nothing_listens_to_is_explained(daemon: Daemon) -> None:
    done = daemon.cli("emit", "events.orders.place", "--wait")

    assert "events.orders.placed" in done.stdout + done.stderr


def test_the_plan_shown_is_the_plan_that_runs(daemon: Daemon) -> None:
    planned = daemon.answer("plan", "events.orders.placed")

    run = emit(daemon, "events.orders.placed", {**ORDER, "order": "o-3"}, wanted=0)

    assert str(run["plan"]) in json.dumps(planned)


def test_explain_names_the_policy(daemon: Daemon) -> None:
    done = daemon.cli("explain", "events.orders.placed", "--as", "developer", wanted=0)

    assert "publishers" in done.stdout


def test_the_journal_of_a_run_verifies(daemon: Daemon) -> None:
    run = emit(daemon, "events.orders.placed", {**ORDER, "order": "o-4"}, wanted=0)

    done = daemon.cli("run", "journal", str(run["run"]), wanted=0)

    assert "run.completed" in done.stdout


def test_health_metrics_and_runs_over_http(daemon: Daemon) -> None:
    emit(daemon, "events.orders.placed", {**ORDER, "order": "o-5"}, wanted=0)

    assert ask(daemon, "/livez")[0] == 200
    assert ask(daemon, "/readyz?verbose")[0] == 200
    status, metrics = ask(daemon, "/metrics")
    assert status == 200
    assert b"stratum_runs_total" in metrics
    assert ask(daemon, "/api/v1/runs")[0] == 401
    assert ask(daemon, "/api/v1/runs", "wrong")[0] == 401
    status, runs = ask(daemon, "/api/v1/runs", daemon.token)
    assert status == 200
    assert json.loads(runs)["runs"]


def test_a_second_daemon_in_the_same_home_says_what_is_wrong(daemon: Daemon) -> None:
    done = daemon.cli("dev", wanted=75)

    assert "in use by another process" in done.stderr
    assert "surrealdb" in done.stderr


def test_bad_definitions_end_the_start_with_file_and_line(tmp_path: Path) -> None:
    write_node(tmp_path, "broken", 'produces = "x"')

    done = Daemon(tmp_path).cli("dev", wanted=65)

    assert "broken/node.ncl:1:" in done.stderr


def test_a_script_that_does_not_parse_ends_the_start_with_its_place(tmp_path: Path) -> None:
    write_node(
        tmp_path,
        "broken",
        'trigger = { pipeline = "p", subjects = ["events.x"] }, handler.script = "run.nu"',
        run="def main [] {\n  if }\n",
    )

    done = Daemon(tmp_path).cli("dev", wanted=65)

    assert "broken/run.nu:2:" in done.stderr


def test_a_bad_setting_ends_the_start_with_its_name(tmp_path: Path) -> None:
    done = Daemon(tmp_path, {"STRATUM_NATS__URLL": "x"}).cli("dev", wanted=78)

    assert "STRATUM_NATS__URLL" in done.stderr
    assert "did you mean STRATUM_NATS__URL?" in done.stderr


def test_a_broker_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    done = Daemon(tmp_path, {"STRATUM_NATS__URL": "nats://127.0.0.1:1"}).cli("dev", wanted=69)

    assert "nats failed: no NATS server answers at nats://127.0.0.1:1" in done.stderr


def test_a_node_that_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        daemon.cli("new", "node", "greet", wanted=0)
        daemon.cli("lint", wanted=0)
        assert daemon.stop() == 0
        daemon.start()
        graph = daemon.answer("graph", "--format", "json")

    assert "greet" in json.dumps(graph)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_with_everything_that_it_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path, {"STRATUM_RUNS__GRACE": "0"}) as daemon:
        below = descendants(daemon.pid)

        code = daemon.stop(number)

    assert code == 0
    assert below
    assert not any(Path(f"/proc/{pid}").exists() for pid in below)


def test_it_hides_from_others_of_its_account_and_says_when_it_is_root(daemon: Daemon) -> None:
    is_root = os.geteuid() == 0

    assert ("running as root" in daemon.log) == is_root
    if not is_root:  # nothing can be hidden from root
        with pytest.raises(PermissionError):
            Path(f"/proc/{daemon.pid}/environ").read_bytes()
