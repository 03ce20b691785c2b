"""What the start needs is not there: the daemon waits a little, then says what is wrong."""

from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from platform_nats.nkey import UserKey
from support import bridge
from support.disk import a_disk
from support.ports import free_port
from support.site import Site, a_site, a_site_with_database, failing
from support.wait import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(90)]

SOON = {"STRATUM_INSTANCE__PATIENCE": "1s"}


async def refusal(site: Site, settings: dict[str, str]) -> tuple[int, str]:
    """Start a daemon that cannot start: its exit code, and the last thing that it said."""
    daemon = site.member({**SOON, **settings})
    with anyio.fail_after(45):
        ended = await run_sync(daemon.cli, "dev")
    return ended.returncode, ended.stderr.partition("stratum: ")[2]


async def test_without_a_broker_the_start_gives_up(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, _):
        code, said = await refusal(
            site, {"STRATUM_NATS__URL": f"nats://127.0.0.1:{free_port()}"}
        )

    assert code == 69
    assert "cannot start, nats failed: no NATS server answers" in said
    assert "start one, or correct the URL" in said


async def test_a_broker_behind_a_dead_wire_is_given_up(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, wire):
        wire.hold()
        code, said = await refusal(site, {})

    assert code == 69
    assert "cannot start, nats failed" in said


async def test_a_key_that_the_broker_does_not_know_is_named(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, _):
        (tmp_path / "daemon.nk").write_text(UserKey.generate().seed())
        code, said = await refusal(site, {"STRATUM_INSTANCE__PATIENCE": "60s"})

    assert code == 77
    assert "add this public key to the server's users" in said


async def test_without_a_database_server_the_start_gives_up(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, _):
        server = bridge.Bridge(tmp_path)
        site.use_database(server, free_port())
        code, said = await refusal(site, {})

    assert code == 69
    assert "cannot start, surrealdb failed" in said
    assert "cannot be reached" in said


async def test_a_database_server_behind_a_dead_wire_is_given_up(tmp_path: Path) -> None:
    async with a_site_with_database(tmp_path) as (site, _, wire):
        wire.hold()
        code, said = await refusal(site, {})

    assert code == 69
    assert "cannot be reached: no answer" in said


async def test_a_wrong_password_is_named_at_once(tmp_path: Path) -> None:
    async with a_site_with_database(tmp_path) as (site, _, _):
        (tmp_path / "password").write_text("wrong")
        code, said = await refusal(site, {"STRATUM_INSTANCE__PATIENCE": "60s"})

    assert code == 77
    assert "does not let root in" in said
    assert "correct the user or the password" in said


async def test_a_database_folder_that_is_none_is_named_at_once(tmp_path: Path) -> None:
    async with a_site(tmp_path) as (site, _):
        (tmp_path / "file").touch()
        url = f"surrealkv://{tmp_path}/file/db"
        code, said = await refusal(site, {"STRATUM_SURREALDB__URL": url})

    assert code == 74
    assert f"{tmp_path}/file/db cannot be used: Not a directory" in said


async def test_a_disk_without_room_for_the_database_is_named_at_once(tmp_path: Path) -> None:
    with a_disk(tmp_path / "disk", "16m") as disk:
        async with a_site(tmp_path) as (site, _):
            code, said = await refusal(
                site, {"STRATUM_SURREALDB__URL": f"surrealkv://{disk}/db"}
            )

    assert code == 74
    assert "MiB free, 128 needed; make room" in said


async def test_what_comes_late_is_waited_for(tmp_path: Path) -> None:
    async with a_site_with_database(tmp_path) as (site, server, broker_wire):
        daemon = site.member()
        await server.kill()
        broker_wire.hold()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_sync, daemon.start)
            await until(lambda: "waiting for the store" in said_by(daemon.project))
            await server.start()
            broker_wire.heal()

        assert await failing(daemon) == ()


@pytest.mark.parametrize("missing", ["STRATUM_NATS__URL", "STRATUM_SURREALDB__URL"])
async def test_a_start_that_waits_can_be_given_up(tmp_path: Path, missing: str) -> None:
    async with a_site(tmp_path) as (site, _):
        scheme = "nats" if "NATS" in missing else "ws"
        daemon = site.member({missing: f"{scheme}://127.0.0.1:{free_port()}"})
        daemon.begin()
        words = ("waiting for the store", "broker trouble")
        await until(lambda: any(each in daemon.log for each in words))
        code = await run_sync(daemon.stop)

    assert code == 0


def said_by(project: Path) -> str:
    file = project / "daemon.log"
    return file.read_text() if file.exists() else ""
