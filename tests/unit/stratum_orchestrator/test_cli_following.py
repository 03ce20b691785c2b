import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from click.testing import Result

from stratum_orchestrator.cli.exits import Exit
from stratum_state.model import Compensation, VerdictKind
from support import records
from support.desk import served
from support.shell import Shell, announce
from support.wait import until

DECIDED = (
    '[{"allowed":true,"code":"accepted","pipeline":"build","policies":["publishers.trigger"],'
    '"policy_set":"sha256:0123456789abcdef","reason":"permitted by publishers.trigger"}]'
)


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with served() as api:
        announce(tmp_path, api.url)
        yield Shell(tmp_path, api.desk)


async def told(shell: Shell) -> list[str]:
    """Words that all mean one event, which opened a run."""
    run = records.a_run("delivery-1")
    verdict = replace(records.a_verdict(run, sequence=7), authorization=DECIDED)
    await shell.desk.write(run, verdict)
    return ["delivery-1", "deliv", "7", verdict.id, run.id, run.id[13:20]]


async def test_an_event_is_explained_by_any_of_its_names(shell: Shell) -> None:
    words = await told(shell)

    for word in words:
        result = await shell.run("why", word)

        assert result.exit_code == 0, word
        assert "accepted  events.push  delivery-1" in result.stdout
        assert "#7" in result.stdout
        assert "ada  UPUBLISHER" in result.stdout
        assert "build  allowed by publishers.trigger  sha256:0123456789ab" in result.stdout
        assert words[4] in result.stdout


async def test_programs_get_the_verdict_with_its_runs(shell: Shell) -> None:
    *_, run, _ = await told(shell)

    result = await shell.run("why", "7", "-o", "jsonl")

    account = json.loads(result.stdout)
    assert account["verdict"]["sequence"] == 7
    assert [each["run"] for each in account["runs"]] == [run]


async def test_an_event_that_opened_nothing_is_told_what_would_have(shell: Shell) -> None:
    await shell.desk.write(records.a_verdict(sequence=3, kind=VerdictKind.NO_PIPELINE))

    result = await shell.run("why", "3")

    assert "no-pipeline" in result.stdout
    assert "as the policies say" in result.stdout
    assert "events.push  would have opened a pipeline" in result.stdout


async def test_the_beginning_of_several_events_is_not_guessed_at(shell: Shell) -> None:
    for at in (1, 2):
        run = records.a_run(f"delivery-{at}", at=records.NOW + at)
        await shell.desk.write(run, records.a_verdict(run, sequence=at))

    result = await shell.run("why", "delivery")

    assert result.exit_code == Exit.USAGE
    assert "delivery-1, delivery-2" in result.stderr


@pytest.mark.parametrize("word", ["99", "nobody", "../../x", " ", "\x1b[2J", "é" * 300])
async def test_what_nothing_is_on_record_of_is_not_found(shell: Shell, word: str) -> None:
    await told(shell)

    result = await shell.run("why", word)

    assert result.exit_code == Exit.NOT_FOUND
    assert "\x1b" not in result.output


async def test_waiting_returns_the_worst_end(shell: Shell) -> None:
    good, bad = records.a_run("e1"), records.a_run("e2")
    back = records.compensating(records.running(bad))
    for fact in (good, bad, records.running(good), records.completed(records.running(good))):
        await shell.desk.write(fact)
    await shell.desk.write(records.running(bad))
    await shell.desk.write(back)
    await shell.desk.write(records.compensated(back, Compensation.PARTIAL))

    result = await shell.run("run", "wait", good.id, bad.id)

    assert result.exit_code == Exit.PARTIAL
    assert [each.split()[1] for each in result.stdout.splitlines()] == [
        "completed",
        "compensated",
    ]


async def test_waiting_ends_with_its_time(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)

    result = await shell.run("run", "wait", run.id, "--timeout", "0.01")

    assert result.exit_code == Exit.TIMEOUT


async def test_what_scripts_said_is_followed_to_the_end(shell: Shell) -> None:
    run, step = records.running(records.a_run()), records.a_step(records.a_run())
    await shell.desk.write(records.a_run())
    await shell.desk.write(run)
    await shell.desk.write(step)
    ended: list[Result] = []

    async def follow() -> None:
        ended.append(await shell.run("run", "logs", run.id, "-f"))

    async with anyio.create_task_group() as followers:
        followers.start_soon(follow)
        await until(lambda: shell.desk.waiting == 1)
        await shell.desk.write(replace(records.succeeded(step), stderr="one\ntwo\x1b[1m\n"))
        await shell.desk.write(records.completed(run))

    assert ended[0].stdout == "lint | one\nlint | two[1m\n"
    assert ended[0].exit_code == 0


async def test_a_mistyped_node_is_met_with_the_one_meant(shell: Shell) -> None:
    await shell.desk.write(records.a_run())

    result = await shell.run("run", "logs", records.a_run().id, "lnt")

    assert result.exit_code == Exit.NOT_FOUND
    assert "did you mean lint?" in result.stderr


async def test_a_pipeline_that_is_not_there_is_met_with_those_that_are(shell: Shell) -> None:
    result = await shell.run("runs", "--pipeline", "biuld")

    assert result.exit_code == Exit.NOT_FOUND
    assert "there is p" in result.stderr


async def test_a_beginning_of_several_runs_is_wrong_usage(shell: Shell) -> None:
    for at in range(2):
        await shell.desk.write(records.a_run(f"e{at}", at=records.NOW + at))

    result = await shell.run("run", "show", "8")

    assert result.exit_code == Exit.USAGE


@pytest.mark.parametrize(
    ("times", "shown"),
    [("utc", "2025-06-15T15:06:40.000Z"), ("unix", "1750000000.000"), ("relative", " ago")],
)
async def test_times_are_told_as_asked(shell: Shell, times: str, shown: str) -> None:
    await shell.desk.write(records.a_run())

    result = await shell.run("runs", "--time", times)

    assert shown in result.stdout
