"""What operators ask over HTTP."""

from collections.abc import AsyncIterator

import pytest

from stratum_orchestrator.errors import Denied, Impossible, UnknownRun
from stratum_orchestrator.saga.attention import Attention
from stratum_state.model import Compensation
from support import records
from support.desk import Served, served

PARTIAL = Attention(code="partial", reason="not undone: charge: no", commands=("do it",))


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize(
    ("path", "wished"),
    [
        ("cancel", "cancel"),
        ("abandon", "abandon"),
        ("retry", "retry"),
        ("compensations/charge/retry", "undo charge again"),
        ("compensations/charge/waive", "waive charge"),
        ("checkpoints/charge/approve", "approve charge"),
        ("checkpoints/charge/reject", "reject charge"),
    ],
)
async def test_a_command_takes_run_and_reason_to_the_desk(
    api: Served, path: str, wished: str
) -> None:
    run = records.a_run()
    await api.desk.write(run)

    answer = await api.post(f"/api/v1/runs/{run.id[13:20]}/{path}", {"reason": " why not "})

    assert answer.status == 202
    assert answer.json == {"run": run.id, "detail": "it is done (permitted by operators.runs)"}
    assert api.desk.operations.wishes == [(wished, run.id, "operator", "why not")]


async def test_who_approves_need_not_say_why_and_who_rejects_has_to(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    path = f"/api/v1/runs/{run.id}/checkpoints/charge"

    approved = await api.post(f"{path}/approve", {})
    rejected = await api.post(f"{path}/reject", {})

    assert (approved.status, rejected.status) == (202, 400)
    assert rejected.json["code"] == "no-reason"
    assert api.desk.operations.wishes == [("approve charge", run.id, "operator", "")]


async def test_what_people_are_asked_now_is_listed_page_by_page(api: Served) -> None:
    runs = [records.a_run(f"e{n}", at=records.NOW + n) for n in range(3)]
    for run in runs:
        await api.desk.write(run)
        await api.desk.write(records.a_question(run, "charge"))

    first = await api.get("/api/v1/checkpoints?limit=2")
    rest = await api.get(f"/api/v1/checkpoints?limit=2&after={first.json['next']}")

    found = [each["run"] for page in (first, rest) for each in page.json["checkpoints"]]
    assert found == [each.id for each in reversed(runs)]
    assert rest.json["next"] is None


async def test_a_retry_names_the_run_that_it_made(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    api.desk.operations.new = "f" * 25

    answer = await api.post(f"/api/v1/runs/{run.id}/retry", {"reason": "x", "again": True})

    assert answer.json["run"] == "f" * 25
    assert api.desk.operations.wishes[0][0] == "retry again"


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnknownRun("ffff"), 404, "unknown-run"),
        (Denied("waive", "build", "no permit matched"), 403, "denied"),
        (Impossible("run-over", "it is completed already", "nothing is left"), 409, "run-over"),
    ],
)
async def test_what_stands_in_the_way_is_told_with_a_remedy(
    api: Served, refusal: Impossible, status: int, code: str
) -> None:
    await api.desk.write(records.a_run())
    api.desk.operations.refusal = refusal

    answer = await api.post(f"/api/v1/runs/{records.a_run().id}/abandon", {"reason": "x"})

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["remedy"]


@pytest.mark.parametrize("path", ["abandon", "retry", "compensations/x/waive"])
@pytest.mark.parametrize(
    "told", [{}, {"reason": "  "}, {"reason": 7}, [], {"reason": "x" * 501}]
)
async def test_every_command_needs_a_reason(api: Served, path: str, told: object) -> None:
    answer = await api.post(f"/api/v1/runs/12/{path}", told)

    assert (answer.status, answer.json["code"]) == (400, "no-reason")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("abandon", {"reason": "x", "again": True}),
        ("retry", {"reason": "x", "again": "yes"}),
        ("compensations/x/retry", {"reason": "x", "node": "y"}),
    ],
)
async def test_a_field_that_is_unknown_is_refused(api: Served, path: str, told: object) -> None:
    answer = await api.post(f"/api/v1/runs/12/{path}", told)

    assert (answer.status, answer.json["code"]) == (400, "bad-field")


async def test_runs_that_need_a_person_are_listed_with_what_helps(api: Served) -> None:
    for at in range(3):
        await api.desk.write(records.a_run(f"e{at}", at=records.NOW + at))
    needy = [records.a_run(f"e{at}", at=records.NOW + at).id for at in (2, 0)]
    api.desk.attentions = dict.fromkeys(needy, PARTIAL)

    first = await api.get("/api/v1/runs?attention=true&limit=1")
    second = await api.get(f"/api/v1/runs?attention=true&after={first.json['next']}")

    [run] = _runs(first.json)
    assert (run["run"], _runs(second.json)[0]["run"]) == (needy[0], needy[1])
    assert run["attention"] == {
        "code": "partial",
        "reason": "not undone: charge: no",
        "commands": ["do it"],
    }


@pytest.mark.parametrize("query", ["attention=yes", "attention=true&status=running"])
async def test_attention_is_a_filter_of_its_own(api: Served, query: str) -> None:
    answer = await api.get(f"/api/v1/runs?{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad-parameter")


async def test_a_run_says_whether_it_needs_a_person(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)

    before = (await api.get(f"/api/v1/runs/{run.id}")).json
    api.desk.attentions[run.id] = PARTIAL
    after = (await api.get(f"/api/v1/runs/{run.id}")).json

    assert before["attention"] is None
    assert after["attention"] is not None


async def test_a_run_tells_what_it_was_told(api: Served) -> None:
    run = records.a_run()
    back = records.compensating(records.running(run))
    await api.desk.write(run)
    await api.desk.write(records.running(run))
    await api.desk.write(back)
    await api.desk.write(
        records.compensated(back, Compensation.PARTIAL).told('{"by":"olga"}', waived=True)
    )

    told = (await api.get(f"/api/v1/runs/{run.id}")).json

    assert (told["waived"], told["instruction"]) == (True, {"by": "olga"})


async def test_runs_that_need_a_person_are_named_and_keep_nothing_out(api: Served) -> None:
    for at in range(7):
        run = records.a_run(f"e{at}", at=records.NOW + at)
        await api.desk.write(run)
        api.desk.attentions[run.id] = PARTIAL

    ready = await api.get("/readyz?verbose")
    status = await api.get("/api/v1/status")

    assert ready.status == 200
    assert f"[+]attention ok: {records.a_run('e6', at=records.NOW + 6).id}: " in ready.text
    assert "; and more (stratum runs --attention)" in ready.text
    assert "attention" in [check["name"] for check in _checks(status.json)]


def _runs(told: dict[str, object]) -> list[dict[str, object]]:
    assert isinstance(told["runs"], list)
    return told["runs"]


def _checks(told: dict[str, object]) -> list[dict[str, object]]:
    assert isinstance(told["checks"], list)
    return told["checks"]
