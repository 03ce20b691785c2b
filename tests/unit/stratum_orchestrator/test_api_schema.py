"""The running server against its own description."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from schemathesis.schemas import APIOperation

from stratum_orchestrator.api import shapes
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.openapi import CATALOG
from stratum_orchestrator.api.routes import Routes
from stratum_orchestrator.saga.attention import Attention
from stratum_state.decision import SEVERAL
from stratum_state.model import Compensation
from support import document, records
from support.desk import TOKEN, Doorman, FixedClock, MemoryDesk, served

RUN, ASKING = records.a_run(), records.a_run("e2", at=records.NOW - 1)
DIGEST = "sha256:" + "a" * 64


async def fill(desk: MemoryDesk) -> None:
    """A run with everything in it."""
    step, undo = records.a_step(RUN), records.a_compensation(RUN)
    back = records.compensating(records.running(RUN))
    for fact in (RUN, records.a_verdict(RUN), records.running(RUN), step):
        await desk.write(fact)
    for fact in (records.failed(step), back, undo, records.undone(undo)):
        await desk.write(fact)
    await desk.write(records.compensated(back, Compensation.PARTIAL))
    await desk.write(records.a_verdict(sequence=2))
    await desk.write(records.a_decision())
    await desk.write(records.a_decision("eve", pipeline=SEVERAL, of_run=""))
    asked = records.a_question(ASKING, count=2)
    for fact in (ASKING, records.running(ASKING), asked, records.an_answer(asked)):
        await desk.write(fact)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server in a thread of its own: those who ask block."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_up()) as url:
        yield url


@asynccontextmanager
async def _up() -> AsyncIterator[str]:
    async with served() as api:
        api.desk.longest_s = 0.01
        await fill(api.desk)
        yield api.url


def test_every_path_is_in_the_document() -> None:
    desk = MemoryDesk()
    routes = Routes(desk, Metrics(FixedClock(), version="1"), Door(reception=Doorman()))
    found = {(each.method, each.path) for each in routes.table() if "/api/" in each.path}

    assert found == set(CATALOG)


@pytest.mark.parametrize(
    "operation", document.OPERATIONS, ids=lambda each: f"{each.method} {each.path}"
)
def test_every_answer_is_as_the_document_says(url: str, operation: APIOperation) -> None:
    document.hold(operation, url, TOKEN, {"run": RUN.id, "node": "lint"})


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/v1/status", shapes.Status),
        ("/api/v1/whoami", shapes.Visitor),
        ("/api/v1/graph", shapes.Graph),
        ("/api/v1/pipelines", shapes.Pipelines),
        ("/api/v1/instances", shapes.Instances),
        ("/api/v1/runs", shapes.Runs),
        ("/api/v1/runs?attention=true", shapes.Runs),
        (f"/api/v1/runs/{RUN.id}", shapes.Run),
        (f"/api/v1/runs/{RUN.id}/plan", shapes.Plan),
        (f"/api/v1/runs/{RUN.id}/nodes/lint", shapes.NodeOfRun),
        (f"/api/v1/runs/{RUN.id}/logs", shapes.Logs),
        (f"/api/v1/runs/{ASKING.id}", shapes.Run),
        ("/api/v1/checkpoints", shapes.Checkpoints),
        ("/api/v1/generations", shapes.Generations),
        ("/api/v1/versions", shapes.Versions),
        (f"/api/v1/versions/difference?from={DIGEST}&to={DIGEST}", shapes.Difference),
        ("/api/v1/activations", shapes.History),
        (f"/api/v1/runs/{RUN.id}/journal", shapes.Journal),
        (f"/api/v1/runs/{RUN.id}/evidence", shapes.Evidence),
        ("/api/v1/verdicts", shapes.Verdicts),
        ("/api/v1/verdicts/1", shapes.Verdict),
        ("/api/v1/decisions", shapes.Decisions),
    ],
)
async def test_answers_have_their_shape(path: str, shape: type) -> None:
    async with served() as api:
        await fill(api.desk)
        needs = Attention(code="partial", reason="not undone", commands=("stratum runs",))
        api.desk.attentions[RUN.id] = needs

        answer = await api.get(path)

    assert answer.status == 200
    assert msgspec.json.decode(answer.text, type=shape)


async def test_the_document_is_served_to_everybody() -> None:
    async with served() as api:
        answer = await api.get("/openapi.json", Authorization=None)

    assert answer.json == document.SCHEMA.raw_schema
