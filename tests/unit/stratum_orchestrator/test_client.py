"""The client that programs use, against the API over a desk."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from anyio import create_task_group
from anyio.to_thread import run_sync

from stratum_orchestrator.client import Client, Refused, StillGoing, Unreachable
from stratum_state.decision import Answer
from support import records
from support.desk import TOKEN, Served, served
from support.shell import announce
from support.wait import until

RUN = records.a_run()


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.fixture
def client(api: Served) -> Client:
    return Client(api.url, TOKEN)


async def test_runs_come_page_by_page_without_an_end_of_their_own(
    api: Served, client: Client
) -> None:
    runs = [records.a_run(f"e{n}", at=1_000 + n) for n in range(5)]
    await api.desk.write(*runs)

    found = await run_sync(lambda: [each.id for each in client.runs(limit=2)])

    assert found == [each.id for each in reversed(runs)]


async def test_decisions_come_page_by_page(api: Served, client: Client) -> None:
    for last in range(1, 56):
        await api.desk.write(records.a_decision(last=last))
    await api.desk.write(records.a_decision("olga", Answer.ALLOWED, last=99))

    found = await run_sync(lambda: [*client.decisions(answer="denied")])

    assert [each.last[-5:-1] for each in found] == [f".{n:03d}" for n in range(55, 0, -1)]
    assert {(each.principal, each.answer) for each in found} == {("vera", "denied")}


async def test_a_run_is_waited_for(api: Served, client: Client) -> None:
    await api.desk.write(RUN, records.running(RUN))
    async with create_task_group() as tasks:
        tasks.start_soon(_finish, api)
        found = await run_sync(partial(client.wait, RUN.id[13:20], 20))

    assert found.status == "completed"


async def test_patience_has_an_end(api: Served, client: Client) -> None:
    await api.desk.write(RUN, records.running(RUN))
    api.desk.longest_s = 0.01

    with pytest.raises(StillGoing):
        await run_sync(partial(client.wait, RUN.id, 0.05))


async def test_commands_reach_the_desk(api: Served, client: Client) -> None:
    await api.desk.write(RUN)

    for do in (
        lambda: client.cancel(RUN.id, "c"),
        lambda: client.abandon(RUN.id, "a"),
        lambda: client.retry(RUN.id, "r", again=True),
        lambda: client.retry_compensation(RUN.id, "lint", "u"),
        lambda: client.waive(RUN.id, "lint", "w"),
    ):
        await run_sync(do)
    held = await run_sync(lambda: client.stand("p", "pause", "a freeze"))
    stored = await run_sync(lambda: client.emit("events.push", {"a": 1}, event_id="e"))

    done = [wish[0] for wish in api.desk.operations.wishes]
    assert done == ["cancel", "abandon", "retry again", "undo lint again", "waive lint"]
    assert (held.standing, stored.event_id, stored.sequence) == ("paused", "e", 1)
    assert [x.standing for x in await run_sync(client.pipelines)] == ["paused"]


async def test_a_refusal_says_what_helps(client: Client) -> None:
    with pytest.raises(Refused) as why:
        await run_sync(client.run, "ffff")

    assert (why.value.status, why.value.code) == (404, "unknown-run")
    assert "GET /api/v1/runs lists the runs" in str(why.value)


async def test_changes_are_heard_as_they_happen(api: Served, client: Client) -> None:
    heard: list[tuple[str, object]] = []

    def listen() -> None:
        for kind, data, _ in client.events(RUN.id):
            heard.append((kind, data.get("status")))
            if data.get("status") == "completed":
                return

    await api.desk.write(RUN)
    async with create_task_group() as tasks:
        tasks.start_soon(run_sync, listen)
        await until(lambda: bool(heard))
        await api.desk.write(records.running(RUN))
        await api.desk.write(records.completed(records.running(RUN)))

    assert heard == [("hello", None), ("run", "running"), ("run", "completed")]


async def test_the_daemon_of_a_home_is_found(api: Served, tmp_path: Path) -> None:
    announce(tmp_path, api.url)

    status = await run_sync(lambda: Client.of_home(tmp_path).status())

    assert status.version == "1.2.3"


def test_nobody_there_is_said() -> None:
    for address in ("http://127.0.0.1:1", "ftp://x", "nothing"):
        with pytest.raises(Unreachable):
            Client(address, "x").status()


async def _finish(api: Served) -> None:
    await until(lambda: api.desk.waiting > 0)
    await api.desk.write(records.completed(records.running(RUN)))
