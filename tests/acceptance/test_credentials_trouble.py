"""A vault that is slow, gone, sealed, or says no: no step starts, and every run ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from support.daemon import Daemon, running, with_patience
from support.http import Answer, ask, until_over
from support.lending import (
    a_running_vault,
    hold,
    let_go,
    notes,
    publish,
    receipts,
    settings,
    until_noted,
    write_project,
)
from support.proxy import Proxy, before
from support.vault import Vault, needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_openbao]

NOBODY = 9  # the port of a service that no machine has any more


@dataclass(frozen=True, slots=True)
class Scene:
    """A daemon, its vault, and the wire between them."""

    daemon: Daemon
    vault: Vault
    wire: Proxy
    portal: BlockingPortal

    @contextmanager
    def without_answers(self) -> Iterator[None]:
        self.portal.call(self.wire.hold)
        try:
            yield
        finally:
            self.portal.call(self.wire.heal)

    @contextmanager
    def leading_to(self, port: int) -> Iterator[None]:
        self.portal.call(self.wire.lead_to, port)
        try:
            yield
        finally:
            self.portal.call(self.wire.lead_to, self.vault.port)

    def refused(self) -> Answer:
        """What becomes of a run whose first step is not lent anything."""
        began = len(notes(self.daemon, "got"))
        run = until_over(self.daemon, publish(self.daemon, "good"))
        assert run["status"] == "compensated"
        assert errors(run) == ["credential"] * 3  # as often as the node says
        assert len(notes(self.daemon, "got")) == began
        return run


def errors(run: Answer) -> list[str]:
    steps = cast("list[dict[str, dict[str, str]]]", run["steps"])
    return [each["error"]["class"] for each in steps]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    project = tmp_path_factory.mktemp("project")
    write_project(project)
    with (
        a_running_vault(tmp_path_factory.mktemp("vault")) as vault,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(before(vault.port)) as wire,
        running(project, settings(vault, project, wire.port, timeout_s=2)) as daemon,
    ):
        yield Scene(daemon, vault, wire, portal)


def test_a_vault_that_is_slow_fails_the_run_after_its_retries(scene: Scene) -> None:
    with scene.without_answers():
        run = scene.refused()

    assert "ReadTimeout" in str(run["cause"])
    assert {each["status"] for each in receipts(run)} == {"void"}


def test_a_vault_that_is_gone_fails_the_run_after_its_retries(scene: Scene) -> None:
    with scene.leading_to(NOBODY):
        run = scene.refused()

    assert "gives no answer" in str(run["cause"])
    assert {each["status"] for each in receipts(run)} == {"void"}


def test_a_sealed_vault_fails_the_run_after_its_retries(scene: Scene, tmp_path: Path) -> None:
    with a_running_vault(tmp_path) as sealed:
        sealed.do(lambda client: client.sys.seal())
        with scene.leading_to(sealed.port):
            run = scene.refused()

    assert "sealed" in str(run["cause"])
    assert {each["status"] for each in receipts(run)} == {"void"}


def test_a_vault_that_denies_fails_the_run_at_once(scene: Scene) -> None:
    run = until_over(scene.daemon, publish(scene.daemon, "", "events.strange"))

    assert run["status"] == "compensated"
    assert errors(run)[-1] == "denied"
    assert errors(run).count("denied") == 1
    assert "unknown role stratum-node-stranger" in str(run["cause"])
    assert {each["status"] for each in receipts(run)} == {"void"}


def test_a_vault_away_at_the_end_of_a_step_gets_back_what_was_lent_later(scene: Scene) -> None:
    daemon = scene.daemon
    hold(daemon)
    began = len(notes(daemon, "got"))
    run = publish(daemon, "wait")
    until_noted(daemon, "got", began + 1)

    with scene.leading_to(NOBODY):
        let_go(daemon)
        over = until_over(daemon, run)
    assert over["status"] == "completed"
    [lent] = receipts(over)
    assert lent["status"] == "issued"

    while receipts(ask(daemon, f"/api/v1/runs/{run}"))[0]["status"] != "revoked":
        with_patience()

    assert lent["accessor"] not in scene.vault.accessors()
