from collections.abc import AsyncIterator

import anyio
import pytest

from platform_nats.errors import BrokerAway
from stratum_orchestrator.service import Verdicts
from stratum_state.model import VerdictRecord
from support import records
from support.desk import Served, served
from support.wait import until

TROUBLE = "it takes other users"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def test_the_verdict_is_told_once_it_is_recorded(api: Served) -> None:
    told: list[dict[str, object]] = []

    async def wait() -> None:
        told.append((await api.get("/api/v1/verdicts/7?wait=30")).json)

    async with anyio.create_task_group() as waiters:
        waiters.start_soon(wait)
        await until(lambda: api.desk.waiting == 1)
        await api.desk.write(records.a_verdict(sequence=7))

    assert (told[0]["sequence"], told[0]["kind"]) == (7, "accepted")


async def test_an_event_without_a_verdict_is_not_found(api: Served) -> None:
    answer = await api.get("/api/v1/verdicts/8")

    assert (answer.status, answer.json["code"]) == (404, "no-verdict")


async def test_a_broker_that_is_away_is_no_fault_of_ours(api: Served) -> None:
    api.desk.broker = BrokerAway("no answer in time")

    answer = await api.get("/api/v1/verdicts/8?wait=20")

    assert (answer.status, answer.json["code"]) == (503, "broker-away")
    assert "no answer in time" in str(answer.json["detail"])


async def test_who_waits_is_told_though_the_record_cannot_be_asked() -> None:
    verdicts, told = Verdicts(), list[VerdictRecord | None]()
    asked = anyio.Event()

    async def away(_: int) -> VerdictRecord | None:
        asked.set()
        raise BrokerAway(TROUBLE)

    async def wait() -> None:
        told.append(await verdicts.find(7, 30, away))

    async with anyio.create_task_group() as waiters:
        waiters.start_soon(wait)
        await asked.wait()
        verdicts.observe([records.a_verdict(sequence=7)])

    assert [each and each.sequence for each in told] == [7]
    with pytest.raises(BrokerAway):
        await verdicts.find(8, 0, away)


async def test_verdicts_come_in_pages(api: Served) -> None:
    for sequence in (1, 2):
        await api.desk.write(records.a_verdict(sequence=sequence))

    first = await api.get("/api/v1/verdicts?limit=1")
    second = await api.get(f"/api/v1/verdicts?limit=1&after={first.json['next']}")

    assert [each["sequence"] for each in _list(first.json["verdicts"])] == [2]
    assert [each["sequence"] for each in _list(second.json["verdicts"])] == [1]


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
