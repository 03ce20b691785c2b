from collections.abc import AsyncIterator

import anyio
import pytest

from stratum_orchestrator.api.desk import Check
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.http import AddressTaken, serve
from stratum_state.model import Compensation
from support import records
from support.desk import Doorman, Served, served
from support.wait import until


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def test_a_port_that_is_taken_is_named_with_the_way_out(api: Served) -> None:
    port = int(api.url.rpartition(":")[2])
    door = Door(reception=Doorman(), port=port)

    with pytest.raises(AddressTaken) as refused:
        async with serve(api.desk, api.metrics, door):
            pass

    assert f"port {port} of 127.0.0.1 is taken" in str(refused.value)
    assert "STRATUM_HTTP__PORT=0" in str(refused.value)


async def test_alive_says_nothing_of_what_it_depends_on(api: Served) -> None:
    api.desk.found.append(Check(name="nats", ok=False, detail="no server answers"))

    answer = await api.get("/livez")

    assert (answer.status, answer.text) == (200, "ok\n")


async def test_ready_when_every_check_holds(api: Served) -> None:
    answer = await api.get("/readyz")

    assert (answer.status, answer.text) == (200, "ok\n")


async def test_not_ready_names_the_failed_check_and_its_reason(api: Served) -> None:
    api.desk.found.append(Check(name="graph", ok=False, detail="a.ncl:3: no such field"))

    answer = await api.get("/readyz?verbose")

    assert answer.status == 503
    assert "[+]nats ok" in answer.text
    assert "[-]graph failed: a.ncl:3: no such field" in answer.text


async def test_a_degraded_check_is_told_and_keeps_nothing_out(api: Served) -> None:
    found = Check(name="definitions", ok=True, degraded=True, detail="a.ncl:3: no such field")
    api.desk.found.append(found)

    answer = await api.get("/readyz?verbose")

    assert answer.status == 200
    assert "[!]definitions degraded: a.ncl:3: no such field" in answer.text


async def test_ready_as_json(api: Served) -> None:
    answer = await api.get("/readyz?verbose", Accept="application/json")

    assert answer.json == {
        "ready": True,
        "checks": [
            {"name": "nats", "ok": True, "degraded": False, "detail": ""},
            {"name": "store", "ok": True, "degraded": False, "detail": ""},
        ],
    }


async def test_runs_come_newest_first_in_pages(api: Served) -> None:
    for at in range(3):
        await api.desk.write(records.a_run(f"e{at}", at=records.NOW + at))

    first = await api.get("/api/v1/runs?limit=2")
    second = await api.get(f"/api/v1/runs?limit=2&after={first.json['next']}")

    assert [_event(run) for run in _list(first.json["runs"])] == ["e2", "e1"]
    assert [_event(run) for run in _list(second.json["runs"])] == ["e0"]
    assert second.json["next"] is None


async def test_runs_are_filtered_by_pipeline_and_status(api: Served) -> None:
    wanted = records.a_run("e1", pipeline="build")
    await api.desk.write(wanted)
    await api.desk.write(records.a_run("e2", pipeline="other"))
    await api.desk.write(records.running(records.a_run("e2", pipeline="other")))

    answer = await api.get("/api/v1/runs?pipeline=build&status=accepted")

    assert [run["run"] for run in _list(answer.json["runs"])] == [wanted.id]


async def test_a_run_tells_everything_about_itself(api: Served) -> None:
    run = records.a_run()
    step = records.a_step(run)
    for facts in ([run], [step], [records.succeeded(step)], [records.running(run)]):
        await api.desk.write(*facts)

    told = (await api.get(f"/api/v1/runs/{run.id}")).json

    assert told["stages"] == [["lint"], ["build"]]
    assert told["event"] == {
        "id": "e1",
        "time": "2025-06-15T15:06:39.995Z",
        "publisher": "UPUBLISHER",
        "principal": "ada",
        "subject": "events.push",
        "data": {"ref": "main"},
    }
    assert _list(told["steps"])[0]["outputs"] == {"lint": True}
    assert (told["status"], told["authorization"]) == ("running", {"allowed": True})


async def test_a_failure_and_its_compensation_are_told(api: Served) -> None:
    run = records.a_run()
    step, undo = records.a_step(run), records.a_compensation(run)
    back = records.compensating(records.running(run))
    for fact in (run, step, records.failed(step), records.running(run), back, undo):
        await api.desk.write(fact)
    await api.desk.write(records.undone(undo), records.compensated(back, Compensation.PARTIAL))

    told = (await api.get(f"/api/v1/runs/{run.id}")).json

    assert _list(told["steps"])[0]["error"] == {
        "class": "exit",
        "message": "it exited with 1",
        "exit_code": 1,
    }
    assert _list(told["compensations"])[0]["status"] == "done"
    assert (told["compensation"], told["cause"]) == ("partial", "lint failed")


async def test_a_unique_beginning_of_an_id_is_enough(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)

    answer = await api.get(f"/api/v1/runs/{run.id[13:19]}")

    assert answer.json["run"] == run.id


async def test_an_ambiguous_beginning_is_a_conflict(api: Served) -> None:
    await api.desk.write(records.a_run("e1"))
    await api.desk.write(records.a_run("e2"))

    answer = await api.get(f"/api/v1/runs/{records.a_run('e1').id[:5]}")

    assert (answer.status, answer.json["code"]) == (409, "ambiguous-run")


@pytest.mark.parametrize("run", ["ffff", "%0d%0aSet-Cookie:x=1", "..%2f..%2fetc", "ABC"])
async def test_a_run_that_is_not_there_is_not_found(api: Served, run: str) -> None:
    answer = await api.get(f"/api/v1/runs/{run}")

    assert (answer.status, answer.json["code"]) == (404, "unknown-run")
    assert "Set-Cookie" not in answer.headers


async def test_whoever_waits_is_told_of_the_change(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    seen = (await api.get(f"/api/v1/runs/{run.id}")).json["change"]
    told: list[dict[str, object]] = []

    async def wait() -> None:
        told.append((await api.get(f"/api/v1/runs/{run.id}?wait=30&seen={seen}")).json)

    async with anyio.create_task_group() as waiters:
        waiters.start_soon(wait)
        await until(lambda: api.desk.waiting == 1)
        await api.desk.write(records.running(run))

    assert told[0]["status"] == "running"
    assert told[0]["change"] != seen


async def test_the_wait_ends_when_its_time_has_passed(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    seen = (await api.get(f"/api/v1/runs/{run.id}")).json["change"]

    again = await api.get(f"/api/v1/runs/{run.id}?wait=0.01&seen={seen}")

    assert (again.status, again.json["change"]) == (200, seen)


async def test_the_journal_keeps_the_exact_text_of_its_lines(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)

    answer = await api.get(f"/api/v1/runs/{run.id}/journal")

    recorded = await api.desk.store.journal(run.id)
    assert [line["body"] for line in _list(answer.json["journal"])] == [
        line.body for line in recorded
    ]


async def test_a_cancellation_takes_its_reason_to_the_desk(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)

    answer = await api.post(f"/api/v1/runs/{run.id}/cancel", {"reason": "wrong branch"})

    assert answer.status == 202
    assert api.desk.operations.wishes == [("cancel", run.id, "operator", "wrong branch")]


@pytest.mark.parametrize("told", [{}, {"reason": ""}, {"reason": 7}, [], {"reason": "x" * 501}])
async def test_a_cancellation_needs_a_reason(api: Served, told: object) -> None:
    answer = await api.post("/api/v1/runs/12/cancel", told)

    assert (answer.status, answer.json["code"]) == (400, "no-reason")


async def test_the_graph_shows_which_node_feeds_which(api: Served) -> None:
    told = (await api.get("/api/v1/graph")).json

    assert told["edges"] == [{"from": "lint", "to": "build", "capability": "linted"}]
    assert [each["name"] for each in _list(told["nodes"])] == ["build", "lint"]


async def test_without_a_generation_the_graph_is_unavailable(api: Served) -> None:
    api.desk.generation = None

    answer = await api.get("/api/v1/graph")

    assert (answer.status, answer.json["code"]) == (503, "no-generation")


async def test_the_status_lists_what_is_wrong_with_the_definitions(api: Served) -> None:
    told = (await api.get("/api/v1/status")).json

    assert told["version"] == "1.2.3"
    assert _list(told["diagnostics"])[0]["message"] == "a field is unknown"


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def _event(run: dict[str, object]) -> object:
    event = run["event"]
    assert isinstance(event, dict)
    return event["id"]


async def test_an_answer_that_is_known_is_not_sent_again(api: Served) -> None:
    run = records.a_run()
    await api.desk.write(run)
    tag = (await api.get(f"/api/v1/runs/{run.id}")).headers["ETag"]

    known = await api.get(f"/api/v1/runs/{run.id}", If_None_Match=f'"old", W/{tag}')
    await api.desk.write(records.running(run))
    moved = await api.get(f"/api/v1/runs/{run.id}", If_None_Match=tag)

    assert (known.status, known.text) == (304, "")
    assert moved.status == 200
    assert moved.headers["ETag"] != tag
