"""Two instances that live on one bundle: what one is told, both do."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from stratum_orchestrator.saga.edition import HEADER
from support.daemon import Daemon
from support.http import Answer, ask
from support.shell import told
from support.site import Site, a_site_with_database

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

_WITHIN_S = 60


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Two instances on the first version, neither of them started."""
    async with a_site_with_database(tmp_path) as (made, _, _):
        people = tmp_path / "principals.ncl"
        people.write_text(people.read_text().replace('["pub', '["operators", "pub'))
        (tmp_path / "stratum.ncl").write_text('{ definitions.principals = "principals.ncl" }')
        key = told(tmp_path, "keys", "new", "developer")["public"]
        await run_sync(publish, made)
        for _ in range(2):
            its = made.member(
                {
                    "STRATUM_DEFINITIONS__SOURCE": f"oci-layout:{tmp_path / 'bundles'}:stable",
                    "STRATUM_DEFINITIONS__SIGNERS": json.dumps([key]),
                }
            )
            its.home.mkdir()  # or else the one above it would be taken
        yield made


def publish(site: Site) -> str:
    return str(told(site.folder, "publish", "oci-layout:bundles:stable")["digest"])


async def version(member: Daemon) -> tuple[str, str]:
    """The bundle in force by the record, and the graph in force here."""
    found = await run_sync(ask, member, "/api/v1/versions")
    status = await run_sync(ask, member, "/api/v1/status")
    listed: list[Answer] = found["versions"]  # type: ignore[assignment]
    (active,) = [str(each["digest"]) for each in listed if each["active"]]
    return active, str(status["generation"])


async def until_alike(site: Site, holds: Callable[[tuple[str, str]], bool]) -> tuple[str, str]:
    """Wait until every member has the same in force, and it is as wanted."""
    with anyio.fail_after(_WITHIN_S):
        while True:
            found = {await version(each) for each in site.members}
            if len(found) == 1 and holds(only := found.pop()):
                return only
            await anyio.sleep(0.1)


async def held(member: Daemon, digest: str) -> object:
    found = await run_sync(ask, member, "/api/v1/versions")
    listed: list[Answer] = found["versions"]  # type: ignore[assignment]
    return next(each["runs"] for each in listed if each["digest"] == digest)


async def begun(site: Site) -> tuple[str, str, str]:
    """Start everybody, and a run that waits: bundle, graph and run."""
    for each in site.members:
        await run_sync(each.start)
    bundle, graph = await version(site.daemon)
    await site.publish("events.gated", 1)
    await site.under_way(1)
    (run,) = await site.runs()
    return bundle, graph, str(run["run"])


def publish_another(site: Site) -> str:
    script = site.folder / "nodes" / "gated-two" / "run.nu"
    script.write_text(f"{script.read_text()}# another\n")
    return publish(site)


async def naming(site: Site, digest: str, count: int) -> None:
    """Publish events that name a version."""
    async with site.broker.publish_as() as events:
        for _ in range(count):
            await events.publish("events.gated", {}, headers={HEADER: digest})


async def test_an_activation_holds_for_all_and_runs_end_with_what_they_have(
    site: Site,
) -> None:
    one, two = site.members
    first, old, run = await begun(site)
    second = await run_sync(publish_another, site)

    wish = {"wanted": "stable", "reason": "it is better"}
    await run_sync(ask, one, "/api/v1/activate", wish)
    _, new = await until_alike(site, lambda found: found[0] == second and found[1] != old)
    holding = [await held(each, first) for each in (one, two)]
    await run_sync(ask, two, "/api/v1/rollback", {"reason": "it is not"})
    await until_alike(site, lambda found: found == (first, old))
    await naming(site, second, 4)  # whichever instance takes them
    await site.under_way(5)
    named = [await held(each, second) for each in (one, two)]
    site.open_gate()
    ended = await site.all_ended(5)

    assert holding == [[run], [run]]
    assert {tuple(sorted(each)) for each in named} == {  # type: ignore[call-overload]
        tuple(sorted(str(each["run"]) for each in ended if each["run"] != run))
    }
    assert {each["status"] for each in ended} == {"completed"}
    assert {each["generation"] for each in ended if each["run"] != run} == {new}
    (its,) = [each["generation"] for each in ended if each["run"] == run]
    assert its == old
    history = (await run_sync(ask, one, "/api/v1/activations"))["activations"]
    assert [x["kind"] for x in history] == ["rolled-back", "activated", "configured"]  # type: ignore[attr-defined]
