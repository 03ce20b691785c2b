import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stratum_orchestrator.api.desk import Check
from stratum_orchestrator.cli.ink import Line, Span, plain
from stratum_orchestrator.cli.moving import viewport
from stratum_state.model import Compensation
from support import records
from support.desk import served
from support.shell import Shell, announce


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with served() as api:
        announce(tmp_path, api.url)
        yield Shell(tmp_path, api.desk)


async def test_everything_is_seen_at_a_glance(shell: Shell) -> None:
    live, bad = records.a_run("e1"), records.a_run("e2", at=records.NOW + 1)
    back = records.compensating(records.running(bad))
    for fact in (live, bad, records.running(bad), back):
        await shell.desk.write(fact)
    await shell.desk.write(records.compensated(back, Compensation.PARTIAL))

    result = await shell.run("top", "--interval", "0.1")

    assert result.exit_code == 0
    assert "here  ready" in result.stdout
    assert "0.0 events/s" in result.stdout
    assert "1 under way  0 compensating" in result.stdout
    assert f"{live.id}  accepted" in result.stdout
    assert f"{bad.id}  compensated" in result.stdout
    assert "lint failed" in result.stdout


async def test_a_check_that_fails_is_named(shell: Shell) -> None:
    shell.desk.found = [Check(name="nats", ok=False, detail="is away")]

    result = await shell.run("top", "--interval", "0.1")

    assert "not ready" in result.stdout
    assert "nats: is away" in result.stdout


async def test_programs_get_one_look_for_each_line(shell: Shell) -> None:
    result = await shell.run("top", "--interval", "0.1", "--count", "2", "-o", "jsonl")

    looks = [json.loads(each) for each in result.stdout.splitlines()]
    assert [each["instance"] for each in looks] == ["here", "here"]


def test_a_picture_that_is_too_long_shows_where_something_happens() -> None:
    lines: list[Line] = [[Span(f"line {at}", "busy" if at == 60 else "")] for at in range(100)]

    shown = [plain(line) for line in viewport(lines, 20)]

    assert len(shown) == 20
    assert shown[0] == "line 0"
    assert "line 60" in shown
    assert shown[-1].endswith("lines below")


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 99, 100, 101])
def test_a_viewport_is_never_higher_than_the_terminal(rows: int) -> None:
    lines: list[Line] = [[Span("x")] for _ in range(100)]

    assert len(viewport(lines, rows)) == min(rows, 100)
