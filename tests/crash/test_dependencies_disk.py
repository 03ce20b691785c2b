"""Disks become full in mid-run, and descriptors run out: an end with a reason, and no loss."""

import resource
from pathlib import Path
from secrets import token_hex

import pytest
from anyio.to_thread import run_sync

from platform_nats.errors import DuplicateId, NotPublished
from platform_nats.publisher import Publisher
from support.daemon import Daemon
from support.disk import a_disk, fill
from support.site import a_site, until_failing
from support.wait import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120)]


async def test_a_full_disk_of_the_database_ends_the_daemon_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with a_disk(tmp_path / "disk", "200m") as disk:
        async with a_site(tmp_path) as (site, _):
            daemon = site.member({"STRATUM_SURREALDB__URL": f"surrealkv://{disk}/db"})
            await run_sync(daemon.start)
            await site.publish("events.gated", 2)
            await site.under_way(2)

            filler = fill(disk)
            await site.publish("events.quick", 5)
            code = await run_sync(daemon.ended)
            refused = await run_sync(daemon.cli, "dev")
            filler.unlink()
            site.open_gate()
            await run_sync(daemon.start)

            assert code == 74
            assert "mend or empty the disk, then start again" in daemon.log
            assert refused.returncode == 74
            assert "make room" in refused.stderr
            await site.all_completed(7, once=False)


async def test_a_full_disk_of_our_broker_is_told_and_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    async with a_site(tmp_path) as (site, _):
        site.use_own_broker()
        daemon = site.member()
        daemon.home.mkdir()
        with a_disk(daemon.home / "nats", "24m") as disk:
            await run_sync(daemon.start)
            filler = fill(disk, leave=1 << 20)
            async with site.developer(within_s=1) as events:
                acknowledged, refusal = await publish_until_full(events, daemon)
            await until_failing(daemon, "nats")
            filler.unlink()
            await until_failing(daemon)
            async with site.developer() as events:
                await events.publish("events.quick", {})

            assert "publish it again with the same event id" in refusal
            assert "no space left on device" in daemon.log
            await site.all_completed(acknowledged + 1)
            await run_sync(daemon.stop)


async def test_with_few_descriptors_steps_wait_and_every_run_completes(
    tmp_path: Path,
) -> None:
    async with a_site(tmp_path) as (site, _):
        daemon = site.member({"STRATUM_EXECUTION__PARALLEL": "32"})
        await run_sync(daemon.start)
        usual = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)

        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (64, usual[1]))
        await site.publish("events.gated", 40)
        await until(lambda: "Too many open files" in daemon.log)
        site.open_gate()
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, usual)
        await site.publish("events.quick", 5)
        runs = await site.all_ended(45)

        assert {each["status"] for each in runs} == {"completed"}


async def publish_until_full(events: Publisher, daemon: Daemon) -> tuple[int, str]:
    """How many were acknowledged, and what was said of the one that was not."""
    for count in range(1000):
        noise = {"noise": token_hex(50_000)}
        while True:
            try:
                await events.publish("events.quick", noise, event_id=f"noise-{count}")
                break
            except DuplicateId:  # it was stored, late
                break
            except NotPublished as refused:  # by a full disk, or only late on a busy machine
                if "no space left on device" in daemon.log:
                    return count, str(refused)
    return 1000, ""
