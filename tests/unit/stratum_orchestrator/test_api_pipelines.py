"""Pipelines over HTTP and on the command line: how they stand, and holding them back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.errors import Denied, UnknownPipeline
from stratum_state.standing import Standing
from support.desk import Served, served
from support.shell import Shell, announce


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize(
    ("verb", "standing"),
    [("pause", "paused"), ("disable", "disabled"), ("resume", "active")],
)
async def test_a_pipeline_stands_as_it_is_told(api: Served, verb: str, standing: str) -> None:
    answer = await api.post(f"/api/v1/pipelines/p/{verb}", {"reason": " a freeze "})

    assert answer.status == 202
    told = answer.json
    assert (told["standing"], told["by"], told["reason"]) == (standing, "operator", "a freeze")


async def test_the_list_says_how_each_stands_those_no_longer_defined_too(api: Served) -> None:
    await api.post("/api/v1/pipelines/gone/disable", {"reason": "x"})

    told = (await api.get("/api/v1/pipelines")).json["pipelines"]

    assert isinstance(told, list)
    assert [(x["pipeline"], x["standing"], x["waiting"]) for x in told] == [
        ("p", "active", 0),
        ("gone", "disabled", 3),
    ]
    assert told[1]["held"]["by"] == "operator"


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (UnknownPipeline("p"), 404, "unknown-pipeline"),
        (Denied("pause", "p", "no permit matched"), 403, "denied"),
    ],
)
async def test_what_stands_in_the_way_is_told(
    api: Served, refusal: Denied, status: int, code: str
) -> None:
    api.desk.pipelines.refusal = refusal

    answer = await api.post("/api/v1/pipelines/p/pause", {"reason": "x"})

    assert (answer.status, answer.json["code"]) == (status, code)


async def test_it_is_said_on_the_command_line(api: Served, tmp_path: Path) -> None:
    announce(tmp_path, api.url)
    shell = Shell(tmp_path, api.desk)

    done = await shell.run("pipeline", "pause", "p", "--reason", "a freeze")
    listed = await shell.run("pipelines")

    assert done.exit_code == Exit.OK
    assert "p paused" in done.stdout
    assert "operator: a freeze" in listed.stdout
    found = api.desk.pipelines.standings.of("p")
    assert found is not None
    assert found.kind is Standing.PAUSED
