"""What can be asked about runs beside the runs themselves, and how lists are narrowed."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from support import records
from support.desk import Served, served


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("live=true", ["e2", "e1"]),
        ("text=E2", ["e2"]),
        ("text=nowhere", []),
        ("since=2025-06-15T15:06:40.001Z", ["e2"]),
        ("until=2025-06-15T15:06:40.001Z", ["e1"]),
        ("since=2025-06-15T17:06:40.001%2B02:00", ["e2"]),
        ("since=2025-06-15&until=2025-06-16", ["e2", "e1"]),
        ("text=e1&live=true&pipeline=build", ["e1"]),
    ],
)
async def test_runs_are_narrowed_by(api: Served, asked: str, found: list[str]) -> None:
    for number in (1, 2):
        await api.desk.write(records.a_run(f"e{number}", at=records.NOW + number - 1))

    answer = await api.get(f"/api/v1/runs?{asked}")

    runs = answer.json["runs"]
    assert isinstance(runs, list)
    assert [run["event"]["id"] for run in runs] == found


@pytest.mark.parametrize(
    "asked",
    [
        "since=yesterday",
        "until=99999999999999999999",
        "live=perhaps",
        "text=" + "x" * 201,
        "text=%00",
        "attention=true&text=x",
        "colour=red",
    ],
)
async def test_what_cannot_be_meant_is_an_error(api: Served, asked: str) -> None:
    answer = await api.get(f"/api/v1/runs?{asked}")

    assert (answer.status, answer.json["code"]) == (400, "bad-parameter")


async def test_verdicts_are_narrowed_by_kind_and_text(api: Served) -> None:
    await api.desk.write(records.a_verdict(records.a_run("e1"), sequence=1))
    await api.desk.write(records.a_verdict(sequence=2))

    kind = await api.get("/api/v1/verdicts?kind=accepted&text=e2")
    none = await api.get("/api/v1/verdicts?kind=refused")

    verdicts = kind.json["verdicts"]
    assert isinstance(verdicts, list)
    assert [each["event_id"] for each in verdicts] == ["e2"]
    assert none.json["verdicts"] == []


async def test_a_run_names_its_plan(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)

    told = (await api.get(f"/api/v1/runs/{run.id}/plan")).json

    assert told["stages"] == [["lint"], ["build"]]
    assert told["edges"] == [{"from": "lint", "to": "build", "capability": "linted"}]
    nodes = told["nodes"]
    assert isinstance(nodes, list)
    assert [(each["name"], each["triggered"]) for each in nodes] == [
        ("lint", True),
        ("build", False),
    ]


async def test_a_plan_that_is_gone_is_said_to_be(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    api.desk.generation = None

    answer = await api.get(f"/api/v1/runs/{run.id}/plan")

    assert (answer.status, answer.json["code"]) == (404, "no-plan")


async def test_a_node_of_a_run_tells_what_it_was_given(api: Served) -> None:
    run = records.a_run()
    step = records.a_step(run)
    undo = records.a_compensation(run, "build")
    for fact in (run, step, records.succeeded(step, outputs='{"linted":{"ok":true}}'), undo):
        await api.desk.write(fact)

    told = (await api.get(f"/api/v1/runs/{run.id}/nodes/build")).json

    assert told["inputs"] == {"linted": {"ok": True}}
    assert told["idempotency_key"] == f"{run.id}/build"
    assert told["steps"] == []
    assert isinstance(told["compensations"], list)
    assert told["compensations"][0]["status"] == "started"


@pytest.mark.parametrize("node", ["nobody", "../etc", "lint%00", "x" * 500])
async def test_a_node_that_is_not_there_is_not_found(api: Served, node: str) -> None:
    run = records.a_run()
    await api.desk.write(run)

    answer = await api.get(f"/api/v1/runs/{run.id}/nodes/{quote(node, safe='%')}")

    assert answer.status == 404


async def test_logs_are_told_in_the_order_of_their_attempts(api: Served) -> None:
    run = records.a_run()
    step, undo = records.a_step(run), records.a_compensation(run)
    for fact in (run, step, records.failed(step), undo, records.undone(undo)):
        await api.desk.write(fact)

    told = (await api.get(f"/api/v1/runs/{run.id}/logs?node=lint")).json
    none = (await api.get(f"/api/v1/runs/{run.id}/logs?node=build")).json

    assert isinstance(told["logs"], list)
    assert [each["script"] for each in told["logs"]] == ["run", "undo"]
    assert none["logs"] == []


async def test_pipelines_name_what_triggers_them(api: Served) -> None:
    told = (await api.get("/api/v1/pipelines")).json

    assert told["pipelines"] == [
        {
            "pipeline": "p",
            "subjects": ["events.push"],
            "triggered": ["lint"],
            "nodes": 2,
            "standing": "active",
            "held": None,
            "waiting": 0,
        }
    ]


async def test_instances_tell_who_has_which_lane(api: Served) -> None:
    told = (await api.get("/api/v1/instances")).json

    assert told["instances"] == [
        {"lane": "0", "instance": "here", "heard_ms": 12, "this": True},
        {"lane": "1", "instance": None, "heard_ms": 90_000, "this": False},
    ]


async def test_generations_are_told_with_the_live_runs_that_hold_them(api: Served) -> None:
    await api.desk.write(records.a_run("e1"), records.a_run("e2"))
    graph = api.desk.generation
    assert graph is not None

    told = (await api.get("/api/v1/generations")).json["generations"]

    assert isinstance(told, list)
    assert told[0] == {
        "generation": graph.digest,
        "active": True,
        "bundles": [],
        "live_runs": 0,
    }
    assert [each["live_runs"] for each in told if not each["active"]] == [2]
