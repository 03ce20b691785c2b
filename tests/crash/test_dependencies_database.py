"""The database server goes away in mid-run: nothing is lost, and nothing is done twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from support.bridge import Bridge
from support.proxy import Proxy
from support.site import Site, a_site_with_database, idleness, until_failing
from support.wait import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(150)]

GATED, LATER = 2, 8
LINES_PER_EVENT = 6
BUSY = 0.2  # of a core
TAKEOVER_S = 3
Back = Callable[[], Awaitable[None]]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Site, Bridge, Proxy]]:
    async with a_site_with_database(tmp_path) as made:
        yield made


async def begin(site: Site) -> None:
    """Two runs are in their first step."""
    await run_sync(site.member().start)
    await site.publish("events.gated", GATED)
    await site.under_way(GATED)


async def killed(server: Bridge, _: Proxy) -> Back:
    await server.kill()
    return server.start


async def frozen(server: Bridge, _: Proxy) -> Back:
    server.freeze()

    async def thaw() -> None:
        server.thaw()

    return thaw


async def black_holed(_: Bridge, wire: Proxy) -> Back:
    wire.hold()

    async def heal() -> None:
        wire.heal()

    return heal


async def test_a_database_that_is_away_is_waited_for(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, server, wire = place
    await run_sync(site.member().start)

    for lap, away in enumerate((killed, frozen, black_holed)):
        before = lap * (GATED + LATER)
        site.gate.unlink(missing_ok=True)
        await site.publish("events.gated", GATED)
        await site.under_way(2 * before + GATED)
        lines = site.lines()

        bring_back = await away(server, wire)
        site.open_gate()
        await site.publish("events.quick", LATER)
        await until_failing(site.daemon, "surrealdb")
        assert await idleness(site.daemon, 2) < BUSY
        assert site.effects().total() == 2 * before + GATED  # nothing was begun meanwhile
        await bring_back()

        await until_failing(site.daemon)
        await site.all_completed(before + GATED + LATER)
        assert site.lines() - lines < LINES_PER_EVENT * (GATED + LATER)


async def test_asked_to_end_while_the_database_is_away_it_ends(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, server, _ = place
    site.settings["STRATUM_RUNS__TAKEOVER"] = f"{TAKEOVER_S}s"
    await begin(site)

    await server.kill()
    site.open_gate()
    await until(lambda: "writes wait" in site.daemon.log)
    code = await run_sync(site.daemon.stop)
    await server.start()
    await run_sync(site.daemon.start)

    assert code == 69
    await site.all_completed(GATED, once=False)


async def test_torn_connections_to_the_database_lose_nothing(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, _, wire = place
    await begin(site)
    site.open_gate()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.publish, "events.quick", 20)
        for size in (1, 150, 1500, 4000, 12000):
            before = wire.resets
            wire.cut_after = size
            await until(lambda torn=before: wire.resets > torn)
    wire.cut_after = float("inf")

    await site.all_completed(GATED + 20)


async def test_a_slow_database_is_slow_and_nothing_else(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, _, wire = place
    await begin(site)
    site.open_gate()

    wire.latency_s = 0.25  # each way
    await site.publish("events.quick", LATER)
    await site.all_completed(GATED + LATER)

    await until_failing(site.daemon)
    assert "away" not in site.daemon.log


async def test_nobody_is_taken_for_dead_when_it_was_the_database_that_was_away(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, server, wire = place
    members = [site.member({"STRATUM_RUNS__TAKEOVER": f"{TAKEOVER_S}s"}) for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        for each in members:
            tasks.start_soon(run_sync, each.start)
    await site.publish("events.gated", GATED)
    await site.under_way(GATED)

    for away in (killed, frozen):
        bring_back = await away(server, wire)
        await anyio.sleep(2 * TAKEOVER_S)
        await bring_back()
        for each in members:
            await until_failing(each)
    site.open_gate()

    await site.all_completed(GATED)
    await anyio.sleep(TAKEOVER_S)
    assert all("taken over" not in each.log for each in members)


async def test_who_was_cut_off_for_too_long_ends_and_another_has_gone_on(
    place: tuple[Site, Bridge, Proxy],
) -> None:
    site, server, wire = place
    takeover = {"STRATUM_RUNS__TAKEOVER": f"{TAKEOVER_S}s", "STRATUM_NATS__ACK_WAIT": "4s"}
    cut_off = site.member(takeover)
    await run_sync(cut_off.start)
    await site.publish("events.gated", GATED)
    await site.under_way(GATED)
    site.use_database(server, server.port)
    survivor = site.member(takeover)
    await run_sync(survivor.start)

    wire.hold()
    await site.under_way(2 * GATED)  # begun again, by the survivor
    wire.heal()
    code = await run_sync(cut_off.ended)

    assert code == 75
    assert "no longer ours" in cut_off.log
    site.members.reverse()
    site.open_gate()
    await site.publish("events.quick", LATER)
    await site.all_completed(GATED + LATER, once=False)
    assert site.effects().total() == 3 * GATED + 2 * LATER
