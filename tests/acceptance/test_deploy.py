"""What is shipped to deploy with, on the real servers that it is for."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.nkey import UserKey
from platform_nats.permissions import inbox
from platform_nats.publisher import publisher
from platform_nats.streams import EVENTS, StreamSettings, ensure
from stratum_orchestrator.auth.vault import policy, server
from stratum_orchestrator.auth.vault.broker import ROLE
from support.daemon import REPOSITORY
from support.ports import free_port
from support.vault import Vault, a_node, a_vault, needs_openbao

pytestmark = pytest.mark.acceptance
DEPLOY = REPOSITORY / "deploy"
NATS = Path(sys.executable).parent / "nats-server"


@asynccontextmanager
async def node(variables: Mapping[str, str]) -> AsyncIterator[None]:
    """One server of the cluster."""
    command = [str(NATS), "-c", str(DEPLOY / "nats" / "cluster.conf"), "-l", os.devnull]
    env = {**os.environ, **variables}  # noqa: TID251 - a child of ours
    async with await anyio.open_process(command, env=env, stdout=None, stderr=None) as process:
        yield
        process.kill()


@pytest.mark.timeout(180)
async def test_three_nats_servers_make_a_cluster_that_keeps_every_event_three_times(
    tmp_path: Path,
) -> None:
    daemon, events = UserKey.generate(), UserKey.generate()
    ports, routes = ([free_port() for _ in range(3)] for _ in range(2))
    shared = {
        "STRATUM_DAEMON": daemon.public,
        "STRATUM_PUBLISHER": events.public,
        "STRATUM_PUBLISHER_INBOX": f"{inbox(events.public)}.>",
        **{
            f"NATS_ROUTE_{name}": f"nats-route://127.0.0.1:{port}"
            for name, port in zip("ABC", routes, strict=True)
        },
    }
    urls = ",".join(f"nats://127.0.0.1:{port}" for port in ports)

    async with AsyncExitStack() as stack:
        for name, port, route in zip("abc", ports, routes, strict=True):
            own = {
                "NATS_NAME": name,
                "NATS_STORE": str(tmp_path / name),
                "NATS_LISTEN": f"127.0.0.1:{port}",
                "NATS_CLUSTER": f"127.0.0.1:{route}",
            }
            await stack.enter_async_context(node({**shared, **own}))
        who = ConnectionSettings(url=urls, seed=daemon.seed(), first_connect_s=30)
        async with connect(who) as connection:
            await ensure(connection.jetstream, StreamSettings(replicas=3), within_s=60)
            async with publisher(urls, events.seed(), "stratum") as ours:
                receipt = await ours.publish("events.a", {})
            found = await connection.jetstream.stream_info(EVENTS)

    assert receipt.sequence == 1
    assert found.cluster is not None
    assert len(found.cluster.replicas or ()) == 2


@needs_openbao
async def test_a_vault_is_set_up_by_the_plan_and_the_script(tmp_path: Path) -> None:
    file = tmp_path / "wrapped"
    async with a_vault(tmp_path) as vault:
        plan = policy.commands(policy.roles([a_node()], ROLE, 10), ROLE, "bao")
        await anyio.to_thread.run_sync(shell, vault, plan)
        script = (DEPLOY / "vault" / "setup.sh").read_text()
        twice = [
            await anyio.to_thread.run_sync(shell, vault, script, str(file)) for _ in (1, 2)
        ]
        login = await anyio.to_thread.run_sync(log_in, vault, twice[1].strip(), file)

    assert twice[0] == twice[1]
    assert login["policies"] == ["stratum-orchestrator"]


def shell(vault: Vault, script: str, *words: str) -> str:
    """Run a script as an operator does; what it printed."""
    found = server.find()
    assert found is not None
    done = subprocess.run(
        ["sh", "-euc", script, "setup", *words],
        env={
            "PATH": f"{Path(found).parent}:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "PROGRAM": Path(found).name,
            "BAO_ADDR": vault.url,
            "BAO_TOKEN": vault.root,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def log_in(vault: Vault, role: str, file: Path) -> Mapping[str, list[str]]:
    """Log in with the wrapped secret id, as the daemon does."""
    wrapped = file.read_text().strip()
    assert file.stat().st_mode & 0o077 == 0
    opened = vault.do(lambda client: client.sys.unwrap(wrapped))
    secret = opened["data"]["secret_id"]
    answer = vault.do(lambda client: client.auth.approle.login(role, secret, use_token=False))
    found: Mapping[str, list[str]] = answer["auth"]
    return found
