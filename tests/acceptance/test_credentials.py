"""Steps of a real daemon, lent values by a real OpenBao, and what is left of that: nothing."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import cast

import pytest

from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from support.daemon import Daemon, running, with_patience
from support.http import Answer, ask, until_over
from support.lending import (
    a_running_vault,
    hold,
    notes,
    publish,
    receipts,
    settings,
    until_noted,
    write_project,
)
from support.vault import CANARY, Vault, needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_openbao]

DIGEST = sha256(CANARY.encode()).hexdigest()
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_running_vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


@pytest.fixture(scope="module")
def daemon(vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    write_project(project)
    with running(project, settings(vault, project)) as up:
        yield up


def late_s(run: Answer) -> float:
    """How long after the end of its process tree the latest lease was taken back."""
    attempts = cast("list[dict[str, str]]", [*run["steps"], *run["compensations"]])  # type: ignore[misc]
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
    run = until_over(daemon, publish(daemon, mode))

    assert run["status"] == status
    assert {each["status"] for each in receipts(run)} == {"revoked"}
    assert len(receipts(run)) == leases
    assert vault.leased() == set()
    assert set(notes(daemon, "got")) == {DIGEST}
    record_property("taken_back_after_s", late_s(run))


def test_a_cancelled_step_gives_back_what_it_was_lent(
    vault: Vault, daemon: Daemon, record_property: Record
) -> None:
    hold(daemon)
    before = len(notes(daemon, "got"))
    run = publish(daemon, "wait")
    until_noted(daemon, "got", before + 1)
    assert len(vault.leased()) == 1

    ask(daemon, f"/api/v1/runs/{run}/cancel", {"reason": "a test"})
    shown = until_over(daemon, run)

    assert [(each["purpose"], each["status"]) for each in receipts(shown)] == [
        ("do", "revoked"),
        ("undo", "revoked"),
    ]
    assert vault.leased() == set()
    assert set(notes(daemon, "undone")) == {DIGEST}
    record_property("taken_back_after_s", late_s(shown))


def test_what_is_on_record_is_a_receipt(vault: Vault, daemon: Daemon) -> None:
    run = until_over(daemon, publish(daemon, "good"))

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


def test_credentials_that_are_there_make_neither_a_signature_nor_a_permission(
    vault: Vault, daemon: Daemon
) -> None:
    before = vault.accessors()
    stranger = refusal(daemon, UserKey.generate())
    daemon.cli("principals", "add", "eve", wanted=0)
    eve = UserKey((daemon.home / "keys" / "eve.nk").read_text())
    while (code := refusal(daemon, eve)) == stranger:
        with_patience()  # the daemon notices a moment later

    assert (stranger, code) == ("unknown-publisher", "denied")
    assert vault.accessors() == before


def refusal(daemon: Daemon, key: UserKey) -> object:
    """Why an event of that key, for a node that would be lent something, comes to nothing."""
    now = time.time_ns() // 1_000_000
    body = b'{"mode": "good"}'
    event = Outgoing(
        subject="events.ship", body=body, event_id=f"e-{now}", time_ms=now, headers={}
    )
    told = {
        "subject": event.subject,
        "headers": dict(seal(key, "stratum", event)),
        "data": base64.b64encode(body).decode(),
    }
    stored = ask(daemon, "/api/v1/events", told)
    verdict = ask(daemon, f"{stored['verdict']}?wait=20")
    assert verdict["runs"] == []
    return verdict["code"]
