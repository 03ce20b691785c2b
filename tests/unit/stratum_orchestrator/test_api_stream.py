"""Server-sent events, as a program hears them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import anyio
import pytest

from stratum_orchestrator.api import stream
from stratum_orchestrator.api.news import Missed, News
from stratum_orchestrator.api.stream import MAX_OF_ONE
from support import records
from support.desk import TOKEN, Served, served

HEARD = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ear:
    """One listener."""

    response: aiohttp.ClientResponse

    async def hear(self) -> HEARD:
        """The next event; heartbeats are passed over."""
        said: HEARD = {}
        async for raw in self.response.content:
            line = raw.decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if not line and "data" in said:
                return said
            if name in {"id", "event"}:
                said[name] = value
            elif name == "data":
                said["data"] = json.loads(value)
        return said


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@asynccontextmanager
async def listening(api: Served, query: str = "", last: object = None) -> AsyncIterator[Ear]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    async with api.session.get(f"{api.url}/api/v1/events{query}", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Ear(response)


async def test_a_listener_is_told_of_runs_and_verdicts(api: Served) -> None:
    run = records.a_run()
    async with listening(api) as ear:
        hello = await ear.hear()
        await api.desk.write(run, records.a_verdict(run))
        await api.desk.write(records.a_step(run))
        await api.desk.write(records.running(run))

        heard = [await ear.hear() for _ in range(3)]

    assert hello["event"] == "hello"
    assert [each["event"] for each in heard] == ["run", "verdict", "run"]
    assert [_of(each, "status") for each in (heard[0], heard[2])] == ["accepted", "running"]


async def test_a_listener_to_one_run_hears_its_steps_and_nothing_else(api: Served) -> None:
    run, other = records.a_run("e1"), records.a_run("e2")
    await api.desk.write(run, other)
    step, undo = records.a_step(run), records.a_compensation(run)
    async with listening(api, f"?run={run.id}") as ear:
        await ear.hear()
        await api.desk.write(records.running(other), records.a_verdict(other))
        await api.desk.write(step, undo)
        await api.desk.write(records.failed(step))

        heard = [await ear.hear() for _ in range(3)]

    assert [each["event"] for each in heard] == ["step", "compensation", "step"]
    assert [_of(each, "status") for each in heard] == ["started", "started", "failed"]
    assert _of(heard[2], "error") == {
        "class": "exit",
        "message": "it exited with 1",
        "exit_code": 1,
    }


async def test_whoever_comes_back_hears_what_was_missed(api: Served) -> None:
    run = records.a_run()
    async with listening(api) as ear:
        await ear.hear()
        await api.desk.write(run)
        heard = await ear.hear()
    await api.desk.write(records.running(run))

    async with listening(api, last=heard["id"]) as ear:
        again = [await ear.hear() for _ in range(2)]

    assert [each["event"] for each in again] == ["hello", "run"]
    assert _of(again[1], "status") == "running"


@pytest.mark.parametrize("last", ["1-1", "9-9", "no number", "1750000000000-0", "-"])
async def test_whoever_missed_too_much_is_told_to_read_anew(api: Served, last: str) -> None:
    for number in range(9):  # one more than the desk's ring holds
        await api.desk.write(records.a_run(f"e{number}"))

    async with listening(api, last=last) as ear:
        heard = await ear.hear()
        await api.desk.write(records.a_run("fresh"))
        after = await ear.hear()

    assert heard["event"] == "reset"
    assert _of(after, "event")["id"] == "fresh"  # type: ignore[index]


async def test_a_burst_that_outruns_the_ring_is_told_as_one_gap(api: Served) -> None:
    async with listening(api) as ear:
        await ear.hear()
        await api.desk.write(*[records.a_run(f"e{number}") for number in range(20)])

        heard = await ear.hear()

    assert heard["event"] == "reset"


@pytest.mark.parametrize(
    ("most", "refusal"), [(MAX_OF_ONE, (429, "too-many")), (0, (503, "busy"))]
)
async def test_so_many_may_listen_and_no_more(
    api: Served, monkeypatch: pytest.MonkeyPatch, most: int, refusal: tuple[int, str]
) -> None:
    monkeypatch.setattr(stream, "MAX_LISTENERS", 2 * most or MAX_OF_ONE)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{api.url}/api/v1/events"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        ears = [await session.get(url, headers=headers) for _ in range(MAX_OF_ONE)]

        refused = await api.get("/api/v1/events")

        assert (refused.status, refused.json["code"]) == refusal
        for each in ears:
            each.close()
    with anyio.fail_after(20):
        while True:
            async with api.session.get(url, headers=headers) as answer:
                if answer.status == 200:
                    break


async def test_a_run_that_is_not_there_cannot_be_listened_to(api: Served) -> None:
    answer = await api.get("/api/v1/events?run=ffff")

    assert (answer.status, answer.json["code"]) == (404, "unknown-run")


async def test_strangers_hear_nothing(api: Served) -> None:
    answer = await api.get("/api/v1/events", Authorization=None)

    assert answer.status == 401


def test_the_ring_tells_what_is_behind_a_place_or_that_it_is_gone() -> None:
    news = News(kept=2)
    runs = [records.a_run(f"e{number}") for number in range(3)]

    news.observe(runs)

    assert [item.fact for item in news.behind(1)] == runs[1:]  # type: ignore[union-attr]
    assert news.behind(3) == []
    assert news.behind(0) == Missed(3)
    assert news.behind(4) == Missed(3)


def _of(heard: HEARD, name: str) -> object:
    data = heard["data"]
    assert isinstance(data, dict)
    return data[name]
