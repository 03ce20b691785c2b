"""The daemon is killed at every point of a lease, and nothing that was lent outlives that."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from stratum_orchestrator.crashpoints import POINTS, VARIABLE
from support.daemon import Daemon, with_patience
from support.http import Answer, ask, pages, until_over
from support.lending import (
    a_running_vault,
    let_go,
    receipts,
    send,
    settings,
    until_noted,
    until_nothing_is_leased,
    write_project,
)
from support.vault import CANARY, Vault, needs_openbao

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300), needs_openbao]

DIES_WITHIN_S = 60
OF_A_LEASE = sorted(each for each in POINTS if each.startswith("credential."))
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_running_vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


@pytest.fixture
def daemon(vault: Vault, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    project = tmp_path / "project"
    is_away = "credential.expired" in request.node.name  # the vault, for as long as that takes
    project.mkdir()
    write_project(project)
    made = Daemon(project, settings(vault, tmp_path, timeout_s=1 if is_away else 5))
    yield made
    made.end()


@pytest.mark.parametrize("point", OF_A_LEASE)
def test_killed_at_each_point_of_a_lease_nothing_stays_alive(
    vault: Vault, daemon: Daemon, point: str, record_property: Record
) -> None:
    die_at(point, vault, daemon)

    daemon.start()
    began = monotonic()
    until_nothing_is_leased(vault)
    record_property("ended_after_s", monotonic() - began)
    let_go(daemon)
    run = finished(daemon)

    assert run["status"] in {"completed", "compensated"}
    assert open_leases(run) == []
    assert vault.leased() == set()
    daemon.cli("audit", "verify", "--all", wanted=0)
    assert CANARY not in daemon.log


def test_killed_in_the_middle_of_a_step_its_lease_is_ended_at_the_next_start(
    vault: Vault, daemon: Daemon
) -> None:
    daemon.start()
    send(daemon, "wait")
    until_noted(daemon, "got", 1)
    [left] = vault.leased()

    daemon.kill()
    assert vault.leased() == {left}
    daemon.start()
    until_noted(daemon, "got", 2)

    until_gone(vault, left)
    let_go(daemon)
    run = finished(daemon)
    assert run["status"] == "completed"
    former, latter = (each["status"] for each in receipts(run))
    assert former in {"revoked", "expired"}  # the daemon may take longer to start than it lasts
    assert latter == "revoked"


def die_at(point: str, vault: Vault, daemon: Daemon) -> None:
    """Bring a daemon to the point, where it dies."""
    daemon.environment[VARIABLE] = f"{point}:1"
    daemon.start()
    del daemon.environment[VARIABLE]
    if point.startswith("credential.void"):
        send(daemon, "", "events.strange")
    elif point.startswith("credential.expired"):
        expire(vault, daemon)
    else:
        send(daemon, "good")
    deadline = monotonic() + DIES_WITHIN_S
    while daemon.is_up and monotonic() < deadline:
        with_patience()
    assert f"killed at crash point {point}:1" in daemon.log, daemon.log[-4000:]
    os.kill(vault.pid, signal.SIGCONT)


def expire(vault: Vault, daemon: Daemon) -> None:
    """Let the vault be away from when the step has its value until that has ended by itself."""
    send(daemon, "wait")
    until_noted(daemon, "got", 1)
    os.kill(vault.pid, signal.SIGSTOP)
    let_go(daemon)


def finished(daemon: Daemon) -> Answer:
    """The only run, when it is over and everything lent in it as well."""
    while not (runs := list(pages(daemon, "/api/v1/runs", "runs"))):
        with_patience()  # the event may have been left to the second daemon
    [run] = runs
    shown = until_over(daemon, run["run"])
    while open_leases(shown):
        with_patience()
        shown = ask(daemon, f"/api/v1/runs/{run['run']}")
    return shown


def open_leases(run: Answer) -> list[dict[str, str]]:
    return [each for each in receipts(run) if each["status"] in {"requested", "issued"}]


def until_gone(vault: Vault, accessor: str) -> None:
    while accessor in vault.accessors():
        with_patience()
