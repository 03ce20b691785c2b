"""A server in operator mode: JWTs in `.creds` files, for the daemon and for publishers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from platform_nats import credentials
from platform_nats.connection import ConnectionSettings, connect
from platform_nats.errors import InvalidKey, NotAuthorized, NotPermitted
from platform_nats.publisher import publisher
from platform_nats.streams import StreamSettings, ensure
from support.daemon import running, write_node
from support.operator import Operator, run_operator

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with run_operator(tmp_path) as operator:
        yield operator


def settings(operator: Operator, creds: Path) -> ConnectionSettings:
    seed = credentials.read(creds).seed()
    return ConnectionSettings(url=operator.url, seed=seed, creds_file=creds, first_connect_s=5)


async def test_a_seed_alone_is_nobody_there(operator: Operator) -> None:
    seed = credentials.read(operator.creds("daemon")).seed()

    with pytest.raises(NotAuthorized):
        async with connect(ConnectionSettings(url=operator.url, seed=seed, first_connect_s=5)):
            pass


async def test_a_publisher_may_what_its_jwt_says(operator: Operator) -> None:
    async with connect(settings(operator, operator.creds("daemon"))) as daemon:
        await ensure(daemon.jetstream, StreamSettings())
    creds = operator.creds("ci", "events.ci.>")
    key = credentials.read(creds)

    async with publisher(operator.url, key.seed(), "here", creds) as ours:
        receipt = await ours.publish("events.ci.done", {})
        with pytest.raises(NotPermitted):
            await ours.publish("events.other", {})

    assert receipt.sequence == 1


async def test_a_revoked_user_is_dropped_and_stays_out(operator: Operator) -> None:
    creds = operator.creds("ci")
    async with connect(settings(operator, creds)) as connection:
        await operator.revoke(credentials.read(creds).public)

        with anyio.fail_after(10):
            await connection.closed.wait()

    with pytest.raises(NotAuthorized):
        async with connect(settings(operator, creds)):
            pass


async def test_a_daemon_and_a_publisher_meet_there(
    operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = tmp_path_factory.mktemp("project")
    write_node(
        project,
        "mail",
        'trigger = { pipeline = "mail", subjects = ["events.mail"] }, produces = ["mail"], '
        'handler.script = "run.nu", effect = \'pure',
    )
    ada = operator.creds("ada", "events.>")
    (project / "principals.ncl").write_text(
        f'[{{ key = "{credentials.read(ada).public}", name = "ada", groups = ["publishers"] }}]'
    )
    told = {
        "STRATUM_NATS__URL": operator.url,
        "STRATUM_NATS__CREDS_FILE": str(operator.creds("daemon")),
        "STRATUM_DEFINITIONS__PRINCIPALS": str(project / "principals.ncl"),
    }

    def meet() -> object:
        with running(project, told) as daemon:
            words = ("emit", "events.mail", "--as", str(ada), "--wait")
            return daemon.answer(*words, wanted=0)

    run = await run_sync(meet)

    assert isinstance(run, dict)
    assert (run["status"], run["event"]["principal"]) == ("completed", "ada"), json.dumps(run)


@pytest.mark.parametrize("text", ["", "SUAAA", "-----BEGIN USER NKEY SEED-----\nx\n------END"])
def test_what_is_no_creds_file_is_refused_without_repeating_it(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "x.creds").write_text(text)

    with pytest.raises(InvalidKey, match=r"\.creds file has") as refused:
        credentials.read(tmp_path / "x.creds")

    assert "SUAAA" not in str(refused.value)
