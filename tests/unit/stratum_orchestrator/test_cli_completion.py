import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import to_thread
from click.testing import CliRunner

from stratum_orchestrator import config
from stratum_orchestrator.cli.app import stratum
from support import records
from support.desk import served
from support.shell import Shell, announce

ROOT = Path(__file__).parents[3]
NU = next(iter(ROOT.glob("node_modules/@nushell/*/bin/nu")), shutil.which("nu") or "nu")


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    home = tmp_path / ".stratum"
    home.mkdir()
    async with served() as api:
        announce(home, api.url)
        yield Shell(home, api.desk)


def complete(folder: Path, *words: str) -> list[str]:
    asked = {"_STRATUM_COMPLETE": "nu_complete", "STRATUM_COMPLETE_WORDS": json.dumps(words)}
    command = [sys.executable, "-m", "stratum_orchestrator"]
    environment = {**config.environment(), **asked, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return [each["value"] for each in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["stratum", "verd"], ["verdicts"]),
        (["stratum", "run", "lo"], ["logs"]),
        (["stratum", "runs", "--att"], ["--attention"]),
        (["stratum", "runs", "--status", "comp"], ["completed", "compensating", "compensated"]),
        (["stratum", "run", "show", ""], []),
        (["stratum", "no-such", ""], None),
    ],
)
def test_words_are_completed_without_a_daemon(
    tmp_path: Path, words: list[str], found: list[str] | None
) -> None:
    completed = complete(tmp_path, *words)

    assert completed == found or found is None


async def test_runs_nodes_and_pipelines_are_completed_by_the_daemon(shell: Shell) -> None:
    run = records.a_run()
    await shell.desk.write(run)
    folder = shell.home.parent

    runs = await to_thread.run_sync(complete, folder, "stratum", "run", "show", run.id[:4])
    nodes = await to_thread.run_sync(complete, folder, "stratum", "run", "logs", run.id, "l")
    pipelines = await to_thread.run_sync(complete, folder, "stratum", "runs", "--pipeline", "")

    assert (runs, nodes, pipelines) == ([run.id], ["lint"], ["p"])


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "nu"])
def test_every_shell_gets_a_script(name: str) -> None:
    result = CliRunner().invoke(stratum, ["completions", name])

    assert result.exit_code == 0
    assert "_STRATUM_COMPLETE" in result.stdout


def test_bash_takes_the_script() -> None:
    script = CliRunner().invoke(stratum, ["completions", "bash"]).stdout

    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p stratum"], capture_output=True, check=True
    )

    assert b"_stratum_completion stratum" in done.stdout


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_takes_the_script() -> None:
    script = CliRunner().invoke(stratum, ["completions", "zsh"]).stdout
    said = f"autoload -Uz compinit; compinit -u -D\n{script}\nprint $_comps[stratum]"

    done = subprocess.run(["zsh", "-f", "-c", said], capture_output=True, check=True)

    assert done.stdout == b"_stratum_completion\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes_with_the_script(tmp_path: Path) -> None:
    script = CliRunner().invoke(stratum, ["completions", "fish"]).stdout
    (tmp_path / "stratum").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m stratum_orchestrator "$@"\n'
    )
    (tmp_path / "stratum").chmod(0o755)

    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{script}\ncomplete -C 'stratum verd'"],
        cwd=tmp_path,
        env={
            **config.environment(),
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("verdicts\t")


def test_nushell_completes_with_the_script_and_keeps_other_completers(tmp_path: Path) -> None:
    script = CliRunner().invoke(stratum, ["completions", "nu"]).stdout
    (tmp_path / "stratum.nu").write_text(script)
    (tmp_path / "stratum").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m stratum_orchestrator "$@"\n'
    )
    (tmp_path / "stratum").chmod(0o755)
    said = (
        "$env.config.completions.external.completer = {|spans| [other]}; source stratum.nu; "
        f"[['{tmp_path}/stratum' verd] [git s]] "
        "| each {|it| do $env.config.completions.external.completer $it } | to json --raw"
    )

    done = subprocess.run(
        [NU, "--no-config-file", "-c", said],
        cwd=tmp_path,
        env={**config.environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )

    ours, others = json.loads(done.stdout)
    assert ([each["value"] for each in ours], others) == (["verdicts"], ["other"])
