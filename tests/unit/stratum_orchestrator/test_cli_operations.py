"""What operators say on the command line."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.api.desk import Check
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.errors import Denied, Impossible
from stratum_orchestrator.saga.attention import Attention
from stratum_state.model import Compensation, RunStatus
from support import records
from support.desk import served
from support.shell import Shell, announce


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with served() as api:
        announce(tmp_path, api.url)
        yield Shell(tmp_path, api.desk)


async def test_abandoning_waits_for_the_end_and_says_what_stays(shell: Shell) -> None:
    run = records.running(records.a_run())
    step = records.a_step(run)
    await shell.desk.write(records.a_run(), run, step, records.succeeded(step))
    await shell.desk.write(run.to(RunStatus.ABANDONED, ended=run.accepted + 9, cause="enough"))

    result = await shell.run("run", "abandon", run.id, "--reason", "it hangs")

    assert result.exit_code == Exit.OK
    assert "✖ abandoned in 0.01s: enough" in result.stdout
    assert "Nothing is undone: lint of build stays as it is." in result.stderr
    assert shell.desk.operations.wishes == [("abandon", run.id, "operator", "it hangs")]


async def test_a_retry_prints_the_run_that_it_made(shell: Shell) -> None:
    await shell.desk.write(records.a_run())
    shell.desk.operations.new = "f" * 25

    people = await shell.run("run", "retry", records.a_run().id, "--reason", "mended")
    programs = await shell.run(
        "run", "retry", records.a_run().id, "--reason", "mended", "--again", "-o", "json"
    )

    assert "f" * 25 in people.stdout
    assert json.loads(programs.stdout)["run"] == "f" * 25
    assert [each[0] for each in shell.desk.operations.wishes] == ["retry", "retry again"]


async def test_waiting_for_a_retry_ends_with_its_outcome(shell: Shell) -> None:
    run = records.a_run()
    back = records.compensating(records.running(run))
    for fact in (run, records.running(run), back):
        await shell.desk.write(fact)
    await shell.desk.write(records.compensated(back, Compensation.PARTIAL))
    words = ("run", "retry", run.id, "--reason", "x", "--wait")

    people = await shell.run(*words)
    programs = await shell.run(*words, "-o", "json")

    assert (people.exit_code, programs.exit_code) == (Exit.PARTIAL, Exit.PARTIAL)
    assert "compensated partial" in people.stdout
    assert json.loads(programs.stdout)["status"] == "compensated"


@pytest.mark.parametrize(
    ("verb", "wished"), [("retry", "undo charge again"), ("waive", "waive charge")]
)
async def test_a_compensation_is_looked_after(shell: Shell, verb: str, wished: str) -> None:
    run = records.a_run()
    await shell.desk.write(run)

    result = await shell.run("compensation", verb, run.id[13:], "charge", "--reason", "paid")

    assert result.exit_code == Exit.OK
    assert "permitted by operators.runs" in result.stdout
    assert shell.desk.operations.wishes == [(wished, run.id, "operator", "paid")]


@pytest.mark.parametrize("held", [b"", b"\n", b"a token\n", b"\xff\xfe", b"one\ntwo"])
async def test_nobody_answers_as_the_home_when_a_file_holds_no_token(
    shell: Shell, tmp_path: Path, held: bytes
) -> None:
    file = tmp_path / "mine"
    file.write_bytes(held)

    said = await shell.run("run", "approve", "f" * 25, "deploy", "--token", str(file))

    assert said.exit_code == Exit.USAGE
    assert "holds no token" in said.stderr
    assert not shell.desk.operations.wishes


async def test_a_command_without_a_reason_is_wrong_usage(shell: Shell) -> None:
    result = await shell.run("compensation", "waive", "12", "charge")

    assert result.exit_code == Exit.USAGE
    assert "--reason" in result.output


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Denied("retry", "build", "no permit matched"), Exit.REFUSED),
        (Impossible("completed", "it completed", "ask with --again"), Exit.FAILED),
    ],
)
async def test_what_stands_in_the_way_is_said_with_its_remedy(
    shell: Shell, refusal: Impossible, code: Exit
) -> None:
    await shell.desk.write(records.a_run())
    shell.desk.operations.refusal = refusal

    result = await shell.run("run", "retry", records.a_run().id, "--reason", "x")

    assert result.exit_code == code
    assert str(refusal) in result.stderr


async def test_runs_that_need_a_person_are_listed_with_what_helps(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)
    helps = f"stratum run retry {run.id} --reason TEXT"
    attention = Attention(code="stuck", reason="a fault: boom", commands=(helps,))
    shell.desk.attentions[run.id] = attention

    people = await shell.run("runs", "--attention")
    programs = await shell.run("runs", "--attention", "-o", "jsonl")
    one = await shell.run("run", "show", run.id)

    for shown in (people.stdout, one.stdout):
        assert "stuck" in shown
        assert "a fault: boom" in shown
        assert helps in shown
    assert json.loads(programs.stdout)["attention"]["commands"] == [helps]


async def test_when_no_run_needs_anybody_that_is_said(shell: Shell) -> None:
    await shell.desk.write(records.a_run())

    result = await shell.run("runs", "--attention")

    assert (result.exit_code, result.stdout) == (Exit.OK, "")
    assert "no run needs a person" in result.stderr


async def test_attention_takes_no_other_filter(shell: Shell) -> None:
    result = await shell.run("runs", "--attention", "--pipeline", "build")

    assert result.exit_code == Exit.USAGE


async def test_a_reload_says_what_is_live(shell: Shell) -> None:
    shell.desk.outcome = replace(shell.desk.outcome, kind="live", added=("lint", "build"))

    people = await shell.run("reload")
    programs = await shell.run("reload", "--reason", "mended", "-o", "json")

    assert people.exit_code == Exit.OK
    assert "✔ live  added lint, build  sha256:1" in people.stdout
    assert json.loads(programs.stdout)["reason"] == "operator: mended"


async def test_a_reload_that_is_refused_names_the_places(shell: Shell) -> None:
    found = Diagnostic(file="nodes/a.ncl", line=3, message="unknown field", hint="mend it")
    shell.desk.outcome = replace(
        shell.desk.outcome, kind="refused", why=str(found), diagnostics=(found,)
    )

    result = await shell.run("reload")

    assert result.exit_code == Exit.BAD_DEFINITIONS
    assert "nodes/a.ncl:3:1: error: unknown field" in result.stdout
    assert "sha256:1 stays in force" in result.stdout


async def test_a_reload_that_the_policies_deny_is_refused(shell: Shell) -> None:
    shell.desk.operations.refusal = Denied("reload", "definitions", "no permit matched")

    result = await shell.run("reload")

    assert result.exit_code == Exit.REFUSED
    assert "no permit matched" in result.stderr


async def test_the_status_shows_checks_and_findings(shell: Shell) -> None:
    shell.desk.found = [Check(name="definitions", ok=True, degraded=True, detail="a.ncl:3")]

    result = await shell.run("status")

    assert result.exit_code == Exit.OK
    assert "! definitions  a.ncl:3" in result.stdout


async def test_the_status_of_a_daemon_that_is_not_ready_is_a_failure(shell: Shell) -> None:
    shell.desk.found = [Check(name="nats", ok=False, detail="no server answers")]

    result = await shell.run("status")

    assert result.exit_code == Exit.FAILED
    assert "✖ nats  no server answers" in result.stdout
