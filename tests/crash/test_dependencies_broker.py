"""The broker goes away in mid-run: the daemon stays, runs go on, events are taken up after."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from support.processes import descendants
from support.proxy import Proxy
from support.site import Site, a_site, idleness, until_failing
from support.wait import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120)]

GATED, LATER = 2, 8
LINES_PER_EVENT = 6
BUSY = 0.2  # of a core


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Site, Proxy]]:
    """Two runs are in their first step."""
    async with a_site(tmp_path) as (made, wire):
        await run_sync(made.member({"STRATUM_NATS__ACK_WAIT": "4s"}).start)
        await made.publish("events.gated", GATED)
        await made.under_way(GATED)
        yield made, wire


async def killed(made: Site, _: Proxy) -> Callable[[], Awaitable[None]]:
    os.kill(made.broker.running.pid, signal.SIGKILL)
    return made.broker.running.start


async def frozen(made: Site, _: Proxy) -> Callable[[], Awaitable[None]]:
    os.kill(made.broker.running.pid, signal.SIGSTOP)

    async def thaw() -> None:
        os.kill(made.broker.running.pid, signal.SIGCONT)

    return thaw


async def black_holed(_: Site, wire: Proxy) -> Callable[[], Awaitable[None]]:
    wire.hold()

    async def heal() -> None:
        wire.heal()

    return heal


@pytest.mark.parametrize("away", [killed, frozen, black_holed])
async def test_a_broker_that_is_away_is_waited_for_while_runs_go_on(
    site: tuple[Site, Proxy],
    away: Callable[[Site, Proxy], Awaitable[Callable[[], Awaitable[None]]]],
) -> None:
    made, wire = site
    lines = made.lines()

    bring_back = await away(made, wire)
    await until_failing(made.daemon, "nats")
    made.open_gate()
    await made.all_completed(GATED)
    assert await idleness(made.daemon, 2) < BUSY
    await bring_back()
    await made.publish("events.quick", LATER)

    await until_failing(made.daemon)
    await made.all_completed(GATED + LATER)
    assert made.lines() - lines < LINES_PER_EVENT * (GATED + LATER)


async def test_torn_connections_lose_no_event_and_run_none_twice(
    site: tuple[Site, Proxy],
) -> None:
    made, wire = site
    made.open_gate()
    lines = made.lines()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.publish, "events.quick", 30)
        for size in (1, 150, 600, 1200, 2000, 2800):
            before = wire.resets
            wire.cut_after = size
            await until(lambda torn=before: wire.resets > torn)  # type: ignore[misc]

    await made.all_completed(GATED + 30)
    assert made.lines() - lines < LINES_PER_EVENT * 30


async def test_our_own_broker_is_started_again(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (made, _):
        made.use_own_broker()
        await run_sync(made.member().start)
        server = made.child("nats-server")
        async with made.developer() as events:
            await events.publish("events.gated", {})
            await made.under_way(1)

            os.kill(server, signal.SIGKILL)
            made.open_gate()
            await events.publish("events.quick", {})

        await until_failing(made.daemon)
        await made.all_completed(2)
        assert server not in descendants(made.daemon.pid)
        assert "nats-server ended" in made.daemon.log
