"""Steps of a real daemon, lent values by a real OpenBao, and what is left of that: nothing."""

import base64
import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest

from support.daemon import Daemon, descendants, running, with_patience
from support.lending import (
    a_running_vault,
    emit,
    let_go,
    notes,
    settings,
    until_noted,
    until_nothing_is_leased,
    write_project,
)
from support.vault import CANARY, Vault, needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_openbao]

DIGEST = sha256(CANARY.encode()).hexdigest()
GENEROUS_S = 5
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_running_vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


@pytest.fixture
def daemon(vault: Vault, tmp_path: Path) -> Iterator[Daemon]:
    write_project(tmp_path)
    with running(tmp_path, settings(vault, tmp_path)) as up:
        yield up


def run_of(daemon: Daemon) -> dict[str, object]:
    """The latest run, when it is over."""
    [run, *_] = json.loads(daemon.cli("runs", "--output", "json", wanted=0).stdout)
    daemon.cli("run", "watch", run["run"])
    return daemon.answer("run", "show", run["run"])


def receipts(run: dict[str, object]) -> list[dict[str, str]]:
    found = run["credentials"]
    assert isinstance(found, list)
    return found


def late_s(run: dict[str, object]) -> float:
    """How long after the end of its process tree the latest lease was taken back."""
    attempts = [*run["steps"], *run["compensations"]]  # type: ignore[misc]
    ends = {(each["node"], each["attempt"], "outcome" in each): each for each in attempts}
    late = []
    for each in receipts(run):
        attempt = ends[each["node"], each["attempt"], each["purpose"] == "undo"]
        end = datetime.fromisoformat(attempt["ended"])
        late.append((datetime.fromisoformat(each["ended"]) - end).total_seconds())
    return max(late)


@pytest.mark.parametrize(
    ("mode", "status", "leases"),
    [("good", "completed", 1), ("fail", "compensated", 1), ("hang", "compensated", 2)],
)
def test_whatever_way_a_step_ends_what_it_was_lent_is_taken_back(  # noqa: PLR0917
    vault: Vault, daemon: Daemon, mode: str, status: str, leases: int, record_property: Record
) -> None:
    emit(daemon, mode)

    run = run_of(daemon)

    assert run["status"] == status
    assert {each["status"] for each in receipts(run)} == {"revoked"}
    assert len(receipts(run)) == leases
    assert vault.leased() == set()
    assert set(notes(daemon, "got")) == {DIGEST}
    record_property("taken_back_after_s", late_s(run))
    assert late_s(run) < GENEROUS_S


def test_a_cancelled_step_gives_back_what_it_was_lent(
    vault: Vault, daemon: Daemon, record_property: Record
) -> None:
    emit(daemon, "wait")
    until_noted(daemon, "got", 1)
    assert len(vault.leased()) == 1
    [run] = json.loads(daemon.cli("runs", "--output", "json", wanted=0).stdout)

    daemon.cli("run", "cancel", run["run"], "--reason", "a test", wanted=0)
    shown = run_of(daemon)

    assert [(each["purpose"], each["status"]) for each in receipts(shown)] == [
        ("do", "revoked"),
        ("undo", "revoked"),
    ]
    assert vault.leased() == set()
    assert notes(daemon, "undone") == [DIGEST]
    record_property("taken_back_after_s", late_s(shown))


def test_what_is_on_record_is_a_receipt(vault: Vault, daemon: Daemon) -> None:
    emit(daemon, "good")
    run = run_of(daemon)

    [receipt] = receipts(run)
    text = daemon.cli("run", "show", str(run["run"]), wanted=0).stdout
    verified = daemon.cli("audit", "verify", str(run["run"]))

    assert receipt["provider"] == "vault"
    assert receipt["policy"] == "stratum-node-deploy"
    assert receipt["names"] == ["deploy"]
    assert receipt["accessor"] not in vault.accessors()
    assert receipt["issued"] < receipt["ended"] < receipt["expires"]
    assert "stratum-node-deploy" in text
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_stopped_daemon_leaves_nothing_alive(vault: Vault, tmp_path: Path) -> None:
    write_project(tmp_path)
    before = vault.accessors()
    with running(tmp_path, settings(vault, tmp_path)) as daemon:
        emit(daemon, "wait")
        until_noted(daemon, "got", 1)
        daemon.stop(signal.SIGTERM)

    assert vault.accessors() == before


def test_a_node_without_a_role_is_denied_and_its_run_ends(daemon: Daemon) -> None:
    daemon.cli("emit", "events.strange")

    run = run_of(daemon)

    assert run["status"] == "compensated"
    assert "unknown role stratum-node-stranger" in str(run["cause"])
    assert [each["status"] for each in receipts(run)] == ["void"]


def test_a_vault_that_does_not_answer_fails_the_run_after_its_retries(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_project(tmp_path)
    with (
        a_running_vault(tmp_path_factory.mktemp("vault")) as vault,
        running(tmp_path, settings(vault, tmp_path)) as daemon,
    ):
        os.kill(vault.pid, signal.SIGSTOP)
        emit(daemon, "good")
        run = run_of(daemon)
        os.kill(vault.pid, signal.SIGCONT)

    steps = run["steps"]
    assert isinstance(steps, list)
    assert [each["error"]["class"] for each in steps] == ["credential"] * 3
    assert run["status"] == "compensated"
    assert notes(daemon, "got") == []


def test_a_sealed_vault_is_waited_for_as_the_retries_say(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_project(tmp_path)
    with (
        a_running_vault(tmp_path_factory.mktemp("vault")) as vault,
        running(tmp_path, settings(vault, tmp_path)) as daemon,
    ):
        vault.do(lambda client: client.sys.seal())
        emit(daemon, "good")
        run = run_of(daemon)
        ready = daemon.cli("doctor").stdout

    assert "sealed" in str(run["cause"])
    assert run["status"] == "compensated"
    assert "credentials" in ready


def test_a_vault_away_at_the_end_of_a_step_gets_back_what_was_lent_later(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_project(tmp_path)
    with (
        a_running_vault(tmp_path_factory.mktemp("vault")) as vault,
        running(tmp_path, settings(vault, tmp_path)) as daemon,
    ):
        emit(daemon, "wait")
        until_noted(daemon, "got", 1)
        os.kill(vault.pid, signal.SIGSTOP)
        let_go(daemon)
        run = run_of(daemon)
        assert run["status"] == "completed"
        os.kill(vault.pid, signal.SIGCONT)
        until_nothing_is_leased(vault)
        until_closed(daemon, str(run["run"]))


def until_closed(daemon: Daemon, run: str) -> None:
    while any(
        each["status"] == "issued" for each in receipts(daemon.answer("run", "show", run))
    ):
        with_patience()


def test_a_secret_is_nowhere_but_in_its_process(daemon: Daemon) -> None:
    said = [emit(daemon, "say", "--wait"), emit(daemon, "leak", "--wait"), emit(daemon, "wait")]
    until_noted(daemon, "got", 3)
    said += [command_line(pid) for pid in (daemon.pid, *descendants(daemon.pid))]
    let_go(daemon)
    run = run_of(daemon)
    said += [json.dumps(run), *(daemon.cli(*words).stdout for words in LOOKS)]
    daemon.stop()

    holding = [
        str(file)
        for file in daemon.project.rglob("*")
        if file.is_file() and any(form in file.read_bytes() for form in forms())
    ]

    assert holding == []
    assert not [text for text in said if any(form.decode() in text for form in forms())]


LOOKS = (("runs",), ("run", "list"), ("verdicts",), ("graph",), ("doctor",), ("config", "show"))


def forms() -> list[bytes]:
    """The secret, and what it looks like in other notations."""
    raw = CANARY.encode()
    return [raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
