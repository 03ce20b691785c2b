import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from stratum_orchestrator import config
from stratum_orchestrator.cli.app import Stratum, stratum
from stratum_orchestrator.cli.exits import Exit
from stratum_orchestrator.cli.home import find

HEAVY = {
    "aiohttp",
    "asyncio",
    "cedarpy",
    "hvac",
    "jsonschema_rs",
    "nacl",
    "nats",
    "networkx",
    "nickel",
    "nkeys",
    "opentelemetry",
    "oras",
    "prometheus_client",
    "requests",
    "rich",
    "surrealdb",
    "watchdog",
}


HELPED = """
import sys
import click
from stratum_orchestrator.cli.app import stratum

def ask(command, words):
    stratum([*words, "--help"], standalone_mode=False)
    print(" ".join(words), *sys.modules, sep="\\t", file=sys.stderr)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            ask(command.get_command(context, name), [*words, name])

ask(stratum, [])
"""
"""Has every command explain itself, and says after each of them what was imported by then."""


def run(*words: str, home: Path) -> Result:
    return CliRunner().invoke(stratum, [*words, "--home", str(home / ".stratum")])


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from stratum_orchestrator.cli.app import stratum\n"
        "stratum(['--help'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "emit" in done.stdout
    assert (HEAVY | {"anyio", "msgspec"}).isdisjoint(done.stderr.split())


def test_the_help_of_no_command_imports_anything_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELPED], capture_output=True, text=True, check=True
    )
    found = {
        words: HEAVY & set(modules)
        for words, *modules in (line.split("\t") for line in done.stderr.splitlines())
    }

    assert len(found) > len(Stratum.entries)
    assert {words: modules for words, modules in found.items() if modules} == {}


def test_as_a_process_it_leaves_with_the_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stratum_orchestrator", "rnus"], capture_output=True, check=False
    )

    assert done.returncode == 2


@pytest.mark.parametrize("name", Stratum.entries)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(stratum, [name, "--help"])

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: stratum {name}")


def test_a_mistyped_command_is_met_with_the_one_meant() -> None:
    result = CliRunner().invoke(stratum, ["rnus"])

    assert result.exit_code == 2
    assert "Did you mean" in result.output
    assert "'runs'" in result.output


@pytest.mark.parametrize(
    "words", [["runs"], ["run", "show", "1"], ["verdicts"], ["emit", "events.x"]]
)
def test_without_a_daemon_the_remedy_is_named(tmp_path: Path, words: list[str]) -> None:
    result = run(*words, home=tmp_path)

    assert result.exit_code == 69
    assert "no daemon answers" in result.output
    assert "stratum dev" in result.output


def test_options_may_stand_before_or_behind_the_command() -> None:
    before = CliRunner().invoke(stratum, ["--output", "json", "version"])
    behind = CliRunner().invoke(stratum, ["version", "-o", "json"])

    assert json.loads(before.output) == json.loads(behind.output)


def test_a_new_key_is_in_a_file_of_its_owner_and_nowhere_else(tmp_path: Path) -> None:
    result = run("keys", "new", "ci", "-o", "json", home=tmp_path)

    told = json.loads(result.stdout)
    file = Path(told["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert told["public"].startswith("U")
    assert file.read_text().strip() not in result.output


def test_the_seed_is_shown_when_asked_for(tmp_path: Path) -> None:
    run("keys", "new", home=tmp_path)

    result = run("keys", "show", "--show-seed", "-o", "json", home=tmp_path)

    assert json.loads(result.stdout)["seed"].startswith("SU")


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    run("keys", "new", home=tmp_path)

    result = run("keys", "new", home=tmp_path)

    assert result.exit_code == 2
    assert "never written over" in result.output


@pytest.mark.parametrize(
    ("content", "mode", "code"), [("SUAAA", 0o600, 78), ("U" * 56, 0o600, 78), ("", 0o644, 77)]
)
def test_a_key_file_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str, mode: int, code: int
) -> None:
    file = tmp_path / "x.nk"
    file.write_text(content)
    file.chmod(mode)

    result = run("keys", "show", str(file), home=tmp_path)

    assert result.exit_code == code
    assert not content or content not in result.output


def test_a_missing_key_names_those_that_are_there(tmp_path: Path) -> None:
    run("keys", "new", "ci", home=tmp_path)

    result = run("keys", "show", "cd", home=tmp_path)

    assert result.exit_code == 6
    assert "known here: ci" in result.output


def test_the_home_is_the_nearest_one_above(tmp_path: Path) -> None:
    (tmp_path / ".stratum").mkdir()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)

    assert find(None, deep) == tmp_path / ".stratum"
    assert find(Path("elsewhere"), deep) == Path("elsewhere")


def test_the_configuration_tells_where_each_value_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUM_LOG__LEVEL", "debug")

    result = run("config", "show", "--origin", "-o", "json", home=tmp_path)

    told = json.loads(result.stdout)
    assert told["log.level"] == {"value": "debug", "origin": "STRATUM_LOG__LEVEL"}
    assert told["http.host"]["origin"] == "default"


def test_a_setting_that_does_not_exist_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUM_LOG__LEVLE", "debug")

    result = run("config", "show", home=tmp_path)

    assert result.exit_code == 78
    assert "STRATUM_LOG__LEVEL" in result.output


def test_the_doctor_names_a_remedy_for_what_is_not_well(tmp_path: Path) -> None:
    key = tmp_path / ".stratum" / "keys" / "open.nk"
    key.parent.mkdir(parents=True)
    key.touch(0o644)

    result = run("doctor", "-o", "json", home=tmp_path)

    found = {each["name"]: each for each in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert found["secrets"]["status"] == "fail"
    assert found["secrets"]["remedy"] == f"chmod 600 {key}"
    assert found["python"]["status"] == "ok"


def test_the_doctor_names_a_secret_that_everybody_can_read(tmp_path: Path) -> None:
    (tmp_path / "stratum.ncl").write_text(
        '{ nats = { url = "nats://127.0.0.1:1", seed_file = "daemon.nk" } }'
    )
    (tmp_path / "daemon.nk").touch()
    (tmp_path / "daemon.nk").chmod(0o666)

    result = run("doctor", "-o", "json", home=tmp_path)

    remedies = [each["remedy"] for each in json.loads(result.stdout)]
    assert result.exit_code == 1
    assert f"chmod 600 {tmp_path / 'daemon.nk'}" in remedies


def test_no_color_is_obeyed_whatever_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "anything")

    result = CliRunner().invoke(stratum, ["version"], color=True)

    assert result.exit_code == 0
    assert "\x1b" not in result.output


def test_groups_suggest_too() -> None:
    result = CliRunner().invoke(stratum, ["run", "shwo"])

    assert result.exit_code == click.UsageError.exit_code
    assert "Did you mean 'show'?" in result.output


@pytest.mark.parametrize("output", ["table", "json"])
def test_settings_that_are_records_are_shown(tmp_path: Path, output: str) -> None:
    shown = '{ name = "docs", hosts = ["example.com"], secret_file = "docs-token" }'
    (tmp_path / "stratum.ncl").write_text(f"{{ scripts.credentials = [{shown}] }}")

    result = run("config", "show", "-o", output, home=tmp_path)

    assert (result.exit_code, result.exception) == (0, None)
    assert "docs-token" in result.stdout


def test_the_exit_codes_are_those_that_help_and_the_page_tell() -> None:
    page = (Path(__file__).parents[3] / "docs" / "troubleshooting.md").read_text("utf-8")
    table = {int(each) for each in re.findall(r"(?m)^\| (\d+) \|", page)}
    helped = CliRunner().invoke(stratum, ["--help"]).stdout.partition("Exit codes:")[2]

    codes = {int(each) for each in Exit} | {130}
    assert table == codes
    assert {int(each) for each in re.findall(r"(?:^|  )(\d+) ", helped, re.MULTILINE)} == codes


def test_a_process_ends_with_the_code_of_what_was_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.ncl").write_text("{ http.port = 'none }")
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "node.ncl").write_text("{ name = 1 }")
    (tmp_path / "open.nk").write_text("SUAB")
    (tmp_path / "open.nk").chmod(0o644)
    ways: dict[tuple[str, ...], Exit] = {
        ("version",): Exit.OK,
        ("run", "show"): Exit.USAGE,
        ("lint", "nodes"): Exit.BAD_DEFINITIONS,
        ("runs",): Exit.UNAVAILABLE,
        ("version", "broken"): Exit.SOFTWARE,
        ("version", ">/dev/full"): Exit.IO,
        ("keys", "new", "k", "--out", "/proc/nothing/k"): Exit.IO,
        ("keys", "show", "open.nk"): Exit.PERMISSION,
        ("dev", "--config", "bad.ncl"): Exit.CONFIG,
    }

    started = {words: start(tmp_path, *words) for words in ways}
    said = {words: (each.communicate()[1], each.returncode) for words, each in started.items()}

    assert {words: code for words, (_, code) in said.items()} == ways
    assert "please report it" in said["version", "broken"][0]
    assert said["version", ">/dev/full"][0] == "stratum: No space left on device\n"


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command line as a process; `broken` makes it one with a fault in it."""
    code = "from stratum_orchestrator.__main__ import main, stratum\n{}main()"
    fault = "stratum.invoke = lambda _: 1 / 0\n" if "broken" in words else ""
    with Path("/dev/full" if ">/dev/full" in words else os.devnull).open("w") as out:
        said = [each for each in words if each not in {"broken", ">/dev/full"}]
        return subprocess.Popen(
            [sys.executable, "-c", code.format(fault), *said],
            cwd=folder,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**config.environment(), "STRATUM_HOME": str(folder / ".stratum")},
        )


@pytest.mark.parametrize(("value", "colored"), [("1", False), ("yes", False), ("", True)])
def test_any_text_in_no_color_takes_the_colors_away(value: str, *, colored: bool) -> None:
    main, side = pty.openpty()

    with os.fdopen(main, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, "-m", "stratum_orchestrator", "version"],
            env={**config.environment(), "NO_COLOR": value},
            stdout=side,
            check=True,
        )
        os.close(side)
        shown = terminal.read(1000)

    assert (b"\x1b[" in shown) is colored
