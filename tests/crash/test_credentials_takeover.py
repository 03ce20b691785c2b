"""Whoever takes over the runs of a killed instance ends what it was lent, too."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from support.bridge import Bridge, running as run_bridge
from support.broker import AUDIENCE, Broker, run_broker
from support.daemon import Daemon
from support.http import pages, until_over
from support.lending import (
    notes,
    receipts,
    settings,
    until_nothing_is_leased,
    write_project,
)
from support.vault import Vault, a_vault, needs_openbao

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180), needs_openbao]

TAKEOVER_S = 3


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    async with a_vault(tmp_path / "vault") as vault:
        yield vault


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    (tmp_path / "nats").mkdir()
    async with run_broker(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
async def members(
    tmp_path: Path, vault: Vault, broker: Broker
) -> AsyncIterator[tuple[Daemon, Daemon]]:
    """Two instances that share everything; the second is started by the test."""
    write_project(tmp_path)
    async with run_bridge(tmp_path / "db") as bridge:
        shared = shared_settings(tmp_path, broker, bridge) | settings(vault, tmp_path)
        with ExitStack() as stack:
            found = []
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                found.append(Daemon(tmp_path / name, shared))
                stack.callback(found[-1].end)
            await to_thread.run_sync(found[0].start)
            yield found[0], found[1]


async def test_a_killed_instance_leaves_no_lease_to_whoever_takes_over(
    vault: Vault, broker: Broker, members: tuple[Daemon, Daemon]
) -> None:
    one, two = members
    async with broker.publish_as() as events:
        await events.publish("events.ship", {"mode": "wait"})
    with anyio.fail_after(30):
        while not notes(one, "got"):  # noqa: ASYNC110 - another process is watched
            await anyio.sleep(0.02)
    [left] = vault.leased()

    one.kill()
    await to_thread.run_sync(two.start)

    with anyio.fail_after(60):
        while not notes(two, "got"):  # noqa: ASYNC110 - likewise
            await anyio.sleep(0.05)
    with anyio.fail_after(30):
        while left in vault.accessors():  # noqa: ASYNC110 - likewise
            await anyio.sleep(0.05)
    for each in members:  # what the killed one had begun waits, too, and belongs to nobody
        (each.home / "pipelines" / "ship" / "go").touch()
    [run] = await to_thread.run_sync(lambda: list(pages(two, "/api/v1/runs", "runs")))
    shown = await to_thread.run_sync(until_over, two, run["run"])
    await to_thread.run_sync(until_nothing_is_leased, vault)
    former, latter = receipts(shown)
    assert shown["status"] == "completed"
    assert former["accessor"] == left
    assert former["status"] in {"revoked", "expired"}  # its time may be over before that of one
    assert latter["status"] == "revoked"


def shared_settings(folder: Path, broker: Broker, bridge: Bridge) -> Mapping[str, str]:
    (folder / "daemon.nk").write_text(broker.daemon.seed())
    (folder / "password").write_text(bridge.server.password or "")
    (folder / "principals.ncl").write_text(
        f'[{{ key = "{broker.publisher.public}", name = "p", groups = ["publishers"] }}]'
    )
    return {
        "STRATUM_NATS__URL": broker.url,
        "STRATUM_NATS__SEED_FILE": str(folder / "daemon.nk"),
        "STRATUM_NATS__AUDIENCE": AUDIENCE,
        "STRATUM_SURREALDB__URL": bridge.url,
        "STRATUM_SURREALDB__USER": bridge.server.user or "",
        "STRATUM_SURREALDB__PASSWORD_FILE": str(folder / "password"),
        "STRATUM_SURREALDB__NAMESPACE": bridge.server.namespace,
        "STRATUM_SURREALDB__DATABASE": bridge.server.database,
        "STRATUM_DEFINITIONS__FOLDERS": json.dumps([str(folder / "nodes")]),
        "STRATUM_DEFINITIONS__CONTENT": str(folder / "content"),
        "STRATUM_DEFINITIONS__PRINCIPALS": str(folder / "principals.ncl"),
        "STRATUM_RUNS__TAKEOVER": f"{TAKEOVER_S}s",
        "STRATUM_RUNS__GRACE": "0",
    }
