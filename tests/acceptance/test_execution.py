"""What a script is given, and what its words become."""

import json
import os
from pathlib import Path

import pytest

from stratum_graph.model import Limits
from stratum_orchestrator.execution.nushell import LIBRARY
from stratum_orchestrator.ports import Kind
from support.scripts import TOKEN, Bench, command

pytestmark = pytest.mark.acceptance


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "body", ["$in | from json | to json", "stratum input | stratum output"]
)
async def test_five_megabytes_go_in_and_come_out(bench: Bench, body: str) -> None:
    value = {"items": [{"id": number, "name": "ä" * 40} for number in range(40_000)]}

    ended = await bench.run(body, stdin=json.dumps(value).encode())

    assert ended.failure is None
    assert ended.outputs == value


async def test_the_library_works_without_the_stdin_flag(bench: Bench) -> None:
    (bench.tree / "plain.nu").write_text(
        "use stratum.nu *\ndef main [] { stratum input | stratum output }"
    )
    flags = f"--no-config-file --include-path {LIBRARY}"

    ended = await bench.run(
        f"$in | ^{bench.runner.nu} {flags} {bench.tree / 'plain.nu'}", stdin=b'{"a": 1}'
    )

    assert ended.outputs == {"a": 1}


async def test_input_may_be_ignored(bench: Bench) -> None:
    ended = await bench.run("{a: 1} | to json", stdin=b"x" * 1_000_000)

    assert ended.outputs == {"a": 1}


async def test_the_environment_is_made_from_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "secret-of-the-daemon")

    ended = await bench.run("{env: (^env | lines)} | to json", env={"API": "x"}, attempt=2)

    assert ended.outputs is not None
    lines = ended.outputs["env"]
    assert isinstance(lines, list)
    found = dict(line.split("=", 1) for line in lines)
    assert "VAULT_TOKEN" not in found
    assert found["HOME"] == found["TMPDIR"] == found["PWD"]
    assert found["STRATUM_STEP"].startswith(f"{TOKEN}:{os.getpid()}-")
    assert {name: found[name] for name in sorted(found) if name in EXPECTED} == EXPECTED


EXPECTED = {
    "API": "x",
    "LANG": "C.UTF-8",
    "STRATUM_ATTEMPT": "2",
    "STRATUM_IDEMPOTENCY_KEY": "run-1/lint",
    "STRATUM_NODE": "lint",
    "STRATUM_RUN": "run-1",
}


async def test_two_processes_of_a_step_have_different_marks_and_one_key(bench: Bench) -> None:
    body = "{mark: $env.STRATUM_STEP, key: $env.STRATUM_IDEMPOTENCY_KEY} | to json"

    first, second = await bench.run(body), await bench.run(body, attempt=2)

    assert first.outputs is not None
    assert second.outputs is not None
    assert first.outputs["mark"] != second.outputs["mark"]
    assert first.outputs["key"] == second.outputs["key"]


async def test_scratch_is_new_and_gone_afterwards_and_data_stays(bench: Bench) -> None:
    body = """
      mkdir sub; "x" | save sub/left; chmod 500 sub
      "kept" | save --force ($env.STRATUM_DATA | path join note)
    """

    ended = await bench.run(body)

    assert ended.failure is None
    assert list((bench.settings.scratch / "steps").iterdir()) == []
    assert (bench.settings.data / "pipelines" / "crate" / "note").read_text() == "kept"


async def test_scratch_of_a_killed_daemon_is_cleared(bench: Bench) -> None:
    left = bench.settings.scratch / "steps" / "old"
    (left / "deep").mkdir(parents=True)

    await bench.runner.scratch.clear()

    assert not left.exists()


async def test_the_standard_library_is_there_for_those_who_ask(bench: Bench) -> None:
    body = "use std/math; {pi: ($math.PI | math round)} | to json"

    with_it, without = await bench.run(body, std_lib=True), await bench.run(body)

    assert with_it.outputs == {"pi": 3}
    assert without.failure is not None


async def test_folders_of_the_node_come_first_on_the_path(bench: Bench, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uname").write_text("#!/bin/sh\necho mine\n")
    (tools / "uname").chmod(0o755)

    ended = await bench.run("{said: (^uname)} | to json", path=(str(tools),))

    assert ended.outputs == {"said": "mine"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("stratum fail 'no token'", "no token"),
        ("error make {msg: 'no such crate'}", "no such crate"),
        ("^no-such-program", "`no-such-program` not found"),
        ("^sh -c 'echo out of disk >&2; exit 4'", "exit code 4"),
        ("let x = (^sh -c 'exit 5' | str trim); $x", "exit code 5"),
        ("exit 9", "exit code 9"),
        ("}", "exit code 1"),
    ],
)
async def test_a_failure_says_what_went_wrong(bench: Bench, body: str, said: str) -> None:
    ended = await bench.run(body)

    assert ended.failure is not None
    assert ended.failure.error_class == "exit"
    assert said in ended.failure.message


async def test_a_script_may_ask_for_another_try(bench: Bench) -> None:
    ended = await bench.run("stratum fail 'registry is busy' --retry", kind=Kind.UNDO)

    assert ended.failure is not None
    assert (ended.failure.error_class, ended.exit_code) == ("exit", 75)
    assert "tried again" in ended.failure.message
    assert "registry is busy" in ended.failure.message


async def test_logs_are_in_stderr(bench: Bench) -> None:
    ended = await bench.run("stratum log 'tests done' {passed: 12}")

    assert json.loads(ended.stderr) == {
        "stratum": "log",
        "message": "tests done",
        "fields": {"passed": 12},
    }


@pytest.mark.parametrize(
    "body",
    [
        "{a: 1}",
        "print 'working'; {a: 1} | to json",
        "print '{\"a\": 1}'; {b: 2} | to json",
        "print '{\"a\": NaN}'",
        "[1] | to json",
    ],
)
async def test_stdout_that_is_not_one_object_is_refused(bench: Bench, body: str) -> None:
    ended = await bench.run(body)

    assert ended.failure is not None
    assert ended.failure.error_class == "bad-output"


@pytest.mark.parametrize("script", ["missing.nu", "../outside.nu", "link.nu", "."])
async def test_a_script_that_is_not_in_its_folder_is_not_started(
    bench: Bench, tmp_path: Path, script: str
) -> None:
    (tmp_path / "outside.nu").write_text("def main [] {}")
    (bench.tree / "link.nu").symlink_to(tmp_path / "outside.nu")

    ended = await bench.runner.run(command(script))

    assert ended.failure is not None
    assert ended.failure.error_class == "spawn"
    assert "folder" in ended.failure.message


@pytest.mark.parametrize(
    ("body", "limits", "name"),
    [
        ("loop {}", Limits(cpu=1), "cpu"),
        ("'x' | fill -c x -w 3_000_000 | save big", Limits(file_size=1 << 20), "file_size"),
        (
            "0..30 | reduce -f 'xxxxxxxxxxxxxxxx' {|_, a| $a + $a}",
            Limits(memory=96 << 20),
            "memory",
        ),
        ("^yes", Limits(output=1 << 20), "output"),
        ("^sh -c 'trap \"\" TERM; exec yes'", Limits(output=1 << 20), "output"),
    ],
)
async def test_a_limit_that_is_exceeded_is_named(
    bench: Bench, body: str, limits: Limits, name: str
) -> None:
    ended = await bench.run(body, limits=limits)

    assert ended.failure is not None
    assert ended.failure.error_class == "limit"
    assert f"handler.limits.{name}" in ended.failure.message


async def test_of_fifty_megabytes_of_stderr_the_end_is_kept(bench: Bench) -> None:
    body = "^sh -c 'yes 0123456789 | head -c 50000000 >&2; echo the end >&2'"

    ended = await bench.run(body)

    assert ended.failure is None
    assert ended.stderr.startswith("[499")
    assert ended.stderr.endswith("the end\n")
    assert len(ended.stderr) < 70_000
