"""The OpenBao of a laptop is kept up, and its root token is nobody's but ours."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stratum_orchestrator.auth.vault import on_demand
from stratum_orchestrator.auth.vault.on_demand import OnDemand
from stratum_orchestrator.errors import CredentialsUnavailable
from support.processes import descendants, program
from support.vault import a_claim, needs_openbao
from support.wait import until

pytestmark = [needs_openbao, pytest.mark.timeout(120)]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[OnDemand]:
    async with OnDemand(tmp_path, None) as broker:
        yield broker


def servers() -> set[int]:
    """The processes of ours that are one."""
    return {pid for pid in descendants(os.getpid()) if program(pid) == "bao"}


def told(pid: int, file: str) -> bytes:
    return Path(f"/proc/{pid}/{file}").read_bytes()


async def value(broker: OnDemand) -> str:
    claim = a_claim()
    grant = await broker.grant(claim)
    return (await broker.read(claim, grant))["DEPLOY_TOKEN"]


async def test_a_server_that_dies_is_away_and_says_so(
    broker: OnDemand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "_FIRST_PAUSE_S", 600.0)
    grant, [pid] = await broker.grant(a_claim()), servers()

    os.kill(pid, signal.SIGKILL)
    await until(lambda: bool(broker.trouble))
    with pytest.raises(CredentialsUnavailable, match=r"has ended .* started again"):
        await broker.grant(a_claim())

    assert broker.trouble == "OpenBao has ended (exit code -9) and is started again"
    await broker.revoke(grant.accessor or "")  # it ended with the server


async def test_a_server_that_dies_is_started_again_with_what_it_had(
    broker: OnDemand, caplog: pytest.LogCaptureFixture
) -> None:
    before, [first] = await value(broker), servers()

    os.kill(first, signal.SIGKILL)
    await until(lambda: "openbao runs again" in caplog.messages, within=60)

    assert broker.trouble == ""
    assert await value(broker) == before
    assert servers().isdisjoint({first})
    assert "openbao ended" in caplog.messages


async def test_the_root_token_is_in_no_environment_and_on_no_command_line(
    broker: OnDemand,
) -> None:
    await value(broker)

    inner = broker._inner  # noqa: SLF001 - nobody else knows the token
    root = inner._server.root.encode() if inner else b""  # noqa: SLF001
    [pid] = servers()
    environment, command = told(pid, "environ"), told(pid, "cmdline")

    assert len(root) > 20
    assert b"PATH=" in environment
    assert b"-dev" in command
    assert all(root not in each for each in (environment, command, _log(broker)))


def _log(broker: OnDemand) -> bytes:
    return (broker._folder / "openbao.log").read_bytes()  # noqa: SLF001
