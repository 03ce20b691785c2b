import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio import to_thread
from click.testing import Result

from stratum_orchestrator.cli.audit import checked
from stratum_orchestrator.cli.client import Daemon, Refusal
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.client.answers import Entry, Runs
from stratum_state.decision import SEVERAL, Answer
from stratum_state.model import Compensation
from support import records
from support.desk import MemoryDesk, served
from support.shell import Shell, announce
from support.wait import until


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with served() as api:
        announce(tmp_path, api.url)
        yield Shell(tmp_path, api.desk)


async def test_runs_are_listed_for_people_and_programs(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)

    people = await shell.run("runs")
    programs = await shell.run("runs", "-o", "jsonl")

    assert f"○  {run.id}  accepted" in people.stdout
    assert json.loads(programs.stdout)["run"] == run.id


async def test_a_list_goes_on_over_pages(shell: Shell) -> None:
    for at in range(205):
        await shell.desk.write(records.a_run(f"e{at}", at=records.NOW + at))

    result = await shell.run("runs", "--limit", "203", "-o", "jsonl")

    assert len(result.stdout.splitlines()) == 203


async def test_a_run_is_shown_by_the_beginning_of_its_id(shell: Shell) -> None:
    await _fail(shell.desk, Compensation.CLEAN)

    result = await shell.run("run", "show", records.a_run().id[13:20])

    assert "✖ lint   failed" in result.stdout
    assert result.stdout.endswith("↩ compensated clean in 0.10s: lint failed\n")


async def test_a_run_that_is_not_there_is_not_found(shell: Shell) -> None:
    result = await shell.run("run", "show", "ffff")

    assert result.exit_code == 6
    assert "no run begins with ffff" in result.output


async def test_watching_tells_each_change_on_a_line_until_the_end(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)
    ended: list[Result] = []

    async def watch() -> None:
        ended.append(await shell.run("run", "watch", run.id))

    async with anyio.create_task_group() as watchers:
        watchers.start_soon(watch)
        await until(lambda: shell.desk.waiting == 1)
        await shell.desk.write(records.running(run))
        await shell.desk.write(records.completed(records.running(run)))

    told = [line.split("  ")[-1] for line in ended[0].stdout.splitlines()]
    assert told[0] == "events.push by ada"
    assert told[1:] == ["running", "completed in 0.10s"]
    assert ended[0].exit_code == 0


@pytest.mark.parametrize(
    ("compensation", "code"),
    [(Compensation.CLEAN, Exit.FAILED), (Compensation.PARTIAL, Exit.PARTIAL)],
)
async def test_the_exit_code_of_watching_is_the_outcome(
    shell: Shell, compensation: Compensation, code: Exit
) -> None:
    await _fail(shell.desk, compensation)

    result = await shell.run("run", "watch", records.a_run().id, "-o", "json")

    assert result.exit_code == code
    assert json.loads(result.stdout)["compensation"] == compensation.value


async def test_watching_ends_with_its_time(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)

    result = await shell.run("run", "watch", run.id, "--timeout", "0.01")

    assert result.exit_code == Exit.TIMEOUT
    assert f"stratum run watch {run.id}" in result.output


async def test_ctrl_c_ends_the_watching_and_not_the_run(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)
    words = ["run", "watch", run.id, "--home", str(shell.home)]

    heeding = ["env", "--default-signal=INT"]  # a shell's background job ignores it

    async with await anyio.open_process(
        [*heeding, sys.executable, "-m", "stratum_orchestrator", *words]
    ) as watching:
        await until(lambda: shell.desk.waiting == 1)
        watching.send_signal(signal.SIGINT)
        with anyio.move_on_after(20):
            await watching.wait()
        code = watching.returncode
        if code is None:
            watching.kill()

    assert code == 130
    assert shell.desk.operations.wishes == []


async def test_a_cancellation_says_why(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)

    result = await shell.run("run", "cancel", run.id, "--reason", "wrong branch")

    assert result.exit_code == 0
    assert shell.desk.operations.wishes == [("cancel", run.id, "operator", "wrong branch")]


async def test_a_journal_is_verified_where_it_is_read(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)
    await shell.desk.write(records.running(run))

    result = await shell.run("run", "journal", run.id)

    assert result.exit_code == 0
    assert "✔ 2 entries, the chain is whole" in result.stdout


@pytest.mark.parametrize(
    ("alter", "n"),
    [
        (lambda all_: all_[1:], 1),
        (lambda all_: [all_[0], all_[2]], 2),
        (lambda all_: [*all_[:2], _altered(all_[2])], 3),
    ],
)
async def test_an_altered_journal_is_noticed(
    shell: Shell, alter: Callable[[list[Entry]], list[Entry]], n: int
) -> None:
    run = records.a_run()
    for fact in (run, records.running(run), records.completed(records.running(run))):
        await shell.desk.write(fact)
    lines = await shell.desk.store.journal(run.id)
    entries = [Entry(x.run, x.n, str(x.at), x.kind, x.body, x.hash) for x in lines]

    broken = checked(alter(entries))

    assert broken is not None
    assert broken.n == n


async def test_verdicts_are_listed_with_their_reasons(shell: Shell) -> None:
    await shell.desk.write(records.a_verdict(sequence=7))

    result = await shell.run("verdicts")

    assert "7    accepted" in result.stdout
    assert "as the policies say" in result.stdout


async def test_decisions_are_listed_with_their_policies(shell: Shell) -> None:
    await shell.desk.write(records.a_decision(count=12))
    await shell.desk.write(records.a_decision("eve", pipeline=SEVERAL, of_run=""))
    await shell.desk.write(records.a_decision("olga", Answer.ALLOWED, "reload", 9_000))

    people = await shell.run("audit", "decisions", "--denied")
    programs = await shell.run("audit", "decisions", "--principal", "olga", "-o", "json")

    assert f"vera       cancel  build {records.a_run().id}  guard.tenant" in people.stdout
    assert "12" in people.stdout
    assert "eve        cancel  several" in people.stdout
    assert "olga" not in people.stdout
    assert [each["action"] for each in json.loads(programs.stdout)] == ["reload"]


async def test_a_wrong_token_is_a_matter_of_permission(shell: Shell) -> None:
    announce(shell.home, Daemon.at(shell.home).address.http, token="wrong")  # noqa: S106

    result = await shell.run("runs")

    assert result.exit_code == Exit.PERMISSION


async def test_a_daemon_that_is_gone_is_told_from_one_that_never_was(tmp_path: Path) -> None:
    announce(tmp_path, "http://127.0.0.1:1")

    result = await Shell(tmp_path, MemoryDesk()).run("runs")

    assert result.exit_code == Exit.UNAVAILABLE
    assert "127.0.0.1:1" in result.output


async def test_hostile_text_reaches_the_terminal_as_text(shell: Shell) -> None:
    run = replace(records.a_run(), subject="events.\x1b[2J\u202eevil")
    await shell.desk.write(run)

    result = await shell.run("runs")

    assert "events.[2Jevil" in result.stdout
    assert "\x1b" not in result.stdout


async def test_a_problem_carries_its_remedy(shell: Shell) -> None:
    daemon = Daemon.at(shell.home)

    with pytest.raises(Refusal) as refused:
        await to_thread.run_sync(daemon.ask, "/api/v1/runs", Runs, {"status": "lost"})

    assert (refused.value.exit_code, refused.value.status) == (Exit.USAGE, 400)
    assert "one of accepted" in refused.value.remedy


async def _fail(desk: MemoryDesk, compensation: Compensation) -> None:
    run = records.a_run()
    step = records.a_step(run)
    back = records.compensating(records.running(run))
    for fact in (run, step, records.failed(step), records.running(run), back):
        await desk.write(fact)
    await desk.write(records.compensated(back, compensation))


def _altered(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, body=entry.body.replace("completed", "abandoned"))
