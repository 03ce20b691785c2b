"""`stratum audit verify`, against the API over a store in memory."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from platform_nats.nkey import UserKey
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.home import write_secret
from stratum_state.model import Fact, JournalLine, PipelineRun, VerdictRecord
from support import signing
from support.desk import MemoryDesk, served
from support.shell import Shell, announce
from support.story import told

DIAMOND, ORDER = told("diamond"), told("order")


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with served() as api:
        announce(tmp_path, api.url)
        write_secret(tmp_path / "keys" / "daemon.nk", signing.KEY.seed())
        yield Shell(tmp_path, api.desk)


async def record(desk: MemoryDesk, *facts: Fact) -> None:
    """Record what is a matter of runs: the verdicts of two worlds would share an id."""
    for fact in facts:
        if not isinstance(fact, VerdictRecord):
            await desk.write(fact)


def altered(desk: MemoryDesk, run: str, n: int, old: str, new: str) -> None:
    """Change one line of a journal where it is kept."""
    lines: list[JournalLine] = desk.store._lines[run]  # noqa: SLF001 - somebody broke in
    lines[n - 1] = replace(lines[n - 1], body=lines[n - 1].body.replace(old, new))


async def test_what_is_in_order_is_said_to_be(shell: Shell) -> None:
    await record(shell.desk, *ORDER.facts)

    result = await shell.run("audit", "verify", ORDER.run[:20])

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"✔ {ORDER.run}  order  compensated  ")


async def test_every_run_is_verified_when_all_are_asked_for(shell: Shell) -> None:
    await record(shell.desk, *DIAMOND.facts, *ORDER.facts)

    result = await shell.run("audit", "verify", "--all", "-o", "jsonl")

    told_of = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert {each["run"] for each in told_of} == {DIAMOND.run, ORDER.run}


async def test_an_altered_entry_is_named_and_fails(shell: Shell) -> None:
    await record(shell.desk, *DIAMOND.facts, *ORDER.facts)
    altered(shell.desk, ORDER.run, 5, '"attempt":1', '"attempt":2')

    result = await shell.run("audit", "verify", "--all", "-o", "json")

    assert result.exit_code == Exit.FAILED
    [broken] = [each for each in json.loads(result.stdout) if each["violations"]]
    assert broken["run"] == ORDER.run
    assert broken["violations"] == [
        {"invariant": "I17", "entry": 5, "detail": "its text is not what was recorded"}
    ]


async def test_a_record_that_says_something_else_than_its_journal_fails(shell: Shell) -> None:
    await record(shell.desk, *DIAMOND.facts)
    account = shell.desk.store._ledger.account(DIAMOND.run)  # noqa: SLF001 - somebody broke in
    assert account is not None
    row = account.rows["run",]
    assert isinstance(row.fact, PipelineRun)
    account.rows["run",] = row._replace(fact=replace(row.fact, principal="eve"))

    result = await shell.run("audit", "verify", DIAMOND.run)

    assert result.exit_code == Exit.FAILED
    assert "I17  entry 1: principal of the run is 'eve' on record" in result.stdout


async def test_a_run_that_nobody_permitted_fails(shell: Shell) -> None:
    first = DIAMOND.the("run.accepted")
    assert isinstance(first, PipelineRun)
    await record(shell.desk, replace(first, authorization='{"allowed":false}'))

    result = await shell.run("audit", "verify", DIAMOND.run)

    assert result.exit_code == Exit.FAILED
    assert "I16  entry 1: no policy on record allows it" in result.stdout


async def test_an_exported_trail_is_verified_without_a_daemon(
    shell: Shell, tmp_path: Path
) -> None:
    await record(shell.desk, *DIAMOND.facts)
    text = (await shell.run("audit", "export", DIAMOND.run)).stdout
    (tmp_path / "trail.json").write_text(text)
    alone = Shell(tmp_path / "elsewhere", shell.desk)

    words = ("audit", "verify", "--file", str(tmp_path / "trail.json"))
    result = await alone.run(*words, "--key", signing.PUBLIC)
    other = await alone.run(*words, "--key", UserKey.generate().public)

    assert json.loads(text)["run"] == DIAMOND.run
    assert result.exit_code == 0, result.output
    assert f"signed by {signing.PUBLIC[:8]}" in result.stdout
    assert other.exit_code == Exit.FAILED
    assert "I23" in other.stdout


@pytest.mark.parametrize("keys", [[], ["--key", "nonsense"]])
async def test_without_a_key_nothing_is_believed(
    shell: Shell, tmp_path: Path, keys: list[str]
) -> None:
    (tmp_path / "trail.json").write_text("{}")
    alone = Shell(tmp_path / "elsewhere", shell.desk)

    result = await alone.run("audit", "verify", "--file", str(tmp_path / "trail.json"), *keys)

    assert result.exit_code == Exit.USAGE
    assert "--key U…" in result.output


async def test_an_altered_file_is_named_line_by_line(shell: Shell, tmp_path: Path) -> None:
    await record(shell.desk, *DIAMOND.facts)
    text = (await shell.run("audit", "export", DIAMOND.run)).stdout
    (tmp_path / "trail.json").write_text(text.replace("step.started", "step.strated", 1))

    result = await shell.run("audit", "verify", "--file", str(tmp_path / "trail.json"))

    assert result.exit_code == Exit.FAILED
    assert "I17  entry " in result.stdout


@pytest.mark.parametrize("words", [[], ["ffff", "--all"]])
async def test_one_run_is_named_or_all_are_meant(shell: Shell, words: list[str]) -> None:
    result = await shell.run("audit", "verify", *words)

    assert result.exit_code == Exit.USAGE
    assert "name one run, or say --all" in result.output


async def test_a_run_that_is_not_there_is_not_found(shell: Shell) -> None:
    result = await shell.run("audit", "verify", "ffff")

    assert result.exit_code == Exit.NOT_FOUND
