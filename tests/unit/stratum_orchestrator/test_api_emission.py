"""Events that are passed on, and requests that are said twice."""

import base64
import uuid
from collections.abc import AsyncIterator

import anyio
import pytest

from platform_nats.errors import BadSubject, DuplicateId, NotPublished
from stratum_orchestrator.api.once import KEPT
from stratum_orchestrator.errors import Impossible
from support import records
from support.desk import Answer, Served, served

HEADERS = {
    "Nats-Msg-Id": "e1",
    "Stratum-Principal": "U" * 56,
    "Stratum-Sig": "s" * 86,
    "Content-Type": "application/json",
}
EVENT = {
    "subject": "events.push",
    "headers": HEADERS,
    "data": base64.b64encode(b'{"a":1}').decode(),
}


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def test_a_signed_event_is_passed_on_as_it_is(api: Served) -> None:
    answer = await api.post("/api/v1/events", EVENT)

    assert answer.status == 202
    assert answer.json == {"event_id": "e1", "sequence": 1, "verdict": "/api/v1/verdicts/1"}
    assert api.desk.passed == [("events.push", HEADERS, b'{"a":1}')]


@pytest.mark.parametrize(
    "bad",
    [
        [],
        {},
        EVENT | {"data": "not base64!"},
        EVENT | {"data": 1},
        EVENT | {"more": 1},
        EVENT | {"headers": {}},
        EVENT | {"headers": HEADERS | {"Nats-Rollup": "all"}},
        EVENT | {"headers": HEADERS | {"Nats-Expected-Stream": "x"}},
        EVENT | {"headers": HEADERS | {"ce-x": "a\r\nNats-Rollup: all"}},
        EVENT | {"headers": HEADERS | {"ce-x\r\nNats-Rollup": "all"}},
        EVENT | {"headers": HEADERS | {f"ce-{n}": "x" for n in range(70)}},
    ],
)
async def test_what_is_no_signed_event_reaches_no_broker(api: Served, bad: object) -> None:
    answer = await api.post("/api/v1/events", bad)

    assert (answer.status, answer.json["code"]) == (400, "bad-field")
    assert api.desk.passed == []


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (BadSubject("$JS.API", "no"), 400, "bad-subject"),
        (DuplicateId("events.push", "e1"), 409, "duplicate-id"),
        (NotPublished("events.push", "e1", "no answer"), 503, "broker-away"),
    ],
)
async def test_what_the_broker_says_no_to_is_a_problem(
    api: Served, trouble: BadSubject | DuplicateId | NotPublished, status: int, code: str
) -> None:
    api.desk.broker = trouble

    answer = await api.post("/api/v1/events", EVENT)

    assert (answer.status, answer.json["code"]) == (status, code)


async def test_what_is_said_twice_under_one_key_is_done_once(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    answers: list[Answer] = []

    async def cancel() -> None:
        path = f"/api/v1/runs/{run.id}/cancel"
        answers.append(await api.post(path, {"reason": "stop"}, Idempotency_Key="k1"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(cancel)

    assert [each.status for each in answers] == [202] * 3
    assert len({each.text for each in answers}) == 1
    assert len(api.desk.operations.wishes) == 1


async def test_another_request_under_the_same_key_is_refused(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    path = f"/api/v1/runs/{run.id}/cancel"
    await api.post(path, {"reason": "stop"}, Idempotency_Key="k1")

    answer = await api.post(path, {"reason": "another"}, Idempotency_Key="k1")

    assert (answer.status, answer.json["code"]) == (422, "key-reused")


async def test_what_failed_may_be_said_again_under_its_key(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    path = f"/api/v1/runs/{run.id}/cancel"
    api.desk.operations.refusal = Impossible("run-over", "it is over", "leave it")
    refused = await api.post(path, {"reason": "stop"}, Idempotency_Key="k1")
    api.desk.operations.refusal = None

    answer = await api.post(path, {"reason": "stop"}, Idempotency_Key="k1")

    assert (refused.status, answer.status) == (409, 202)


@pytest.mark.parametrize("key", ["with space", "x" * 129, "ä"])
async def test_a_key_of_a_strange_form_is_refused(api: Served, key: str) -> None:
    answer = await api.post("/api/v1/events", EVENT, Idempotency_Key=key)

    assert (answer.status, answer.json["code"]) == (400, "bad-key")


async def test_so_many_keys_are_remembered_and_no_more(api: Served) -> None:
    await api.post("/api/v1/events", EVENT, Idempotency_Key="first")
    for _ in range(KEPT):
        await api.post("/api/v1/events", EVENT, Idempotency_Key=str(uuid.uuid4()))

    await api.post("/api/v1/events", EVENT, Idempotency_Key="first")

    assert len(api.desk.passed) == KEPT + 2


async def test_an_event_is_signed_as_the_principal_of_the_token(api: Served) -> None:
    told = {"subject": "events.push", "data": {"a": 1}, "event_id": "mine"}

    answer = await api.post("/api/v1/emit", told, Stratum_Grant="a-grant")

    assert answer.status == 202
    assert answer.json == {"event_id": "mine", "sequence": 1, "verdict": "/api/v1/verdicts/1"}
    [(subject, headers, body)] = api.desk.passed
    assert (subject, body) == ("events.push", b'{"a":1}')
    assert api.desk.key is not None
    assert headers["Stratum-Principal"] == api.desk.key.public
    assert headers["Stratum-Grant"] == "a-grant"


async def test_nothing_is_signed_for_whose_key_is_elsewhere(api: Served) -> None:
    api.desk.key = None

    answer = await api.post("/api/v1/emit", {"subject": "events.push", "data": 1})

    assert (answer.status, answer.json["code"]) == (409, "no-key")
    assert api.desk.passed == []


@pytest.mark.parametrize(
    "bad",
    [b"[]", b'{"subject": "s"}', b'{"subject": "s", "data": NaN}', b'{"data": 1, "data": 2}'],
)
async def test_what_is_no_letter_is_not_signed(api: Served, bad: bytes) -> None:
    answer = await api.ask("POST", "/api/v1/emit", {"Content-Type": "application/json"}, bad)

    assert (answer.status, answer.json["code"]) == (400, "bad-field")
    assert api.desk.passed == []
