import json
import re
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from stratum_orchestrator import config
from stratum_orchestrator.cli import form
from stratum_orchestrator.cli.app import stratum
from stratum_orchestrator.cli.contract import sections


def init(folder: Path, *words: str, answers: str = "") -> Result:
    return CliRunner().invoke(stratum, ["init", str(folder), *words], input=answers)


def loaded(folder: Path) -> config.Settings:
    return anyio.run(config.load, folder, {}, {}).settings


def test_with_yes_the_file_says_nothing_but_defaults(tmp_path: Path) -> None:
    result = init(tmp_path, "--yes")

    assert result.exit_code == 0
    assert loaded(tmp_path) == config.Settings()


def test_every_comment_of_a_default_may_be_taken_away(tmp_path: Path) -> None:
    text = form.written(sections(), {})
    (tmp_path / "stratum.ncl").write_text(re.sub(r"(?m)^    # (\w+ = .+,)$", r"    \1", text))

    assert loaded(tmp_path) == config.Settings()
    assert len(re.findall(r"(?m)^    # \w+ = .+,$", text)) == len(config.fields())


def test_answers_are_asked_for_judged_and_written(tmp_path: Path) -> None:
    answers = "shop %{x}\nmany\n?\n9000\n\na.>, b.c\n\n\nvualt\n\n\n"

    result = init(tmp_path, answers=answers)

    settings = loaded(tmp_path)
    assert result.exit_code == 0
    assert "expected a port" in result.stderr
    assert "did you mean vault" in result.stderr
    assert (settings.instance.name, settings.http.port) == ("shop %{x}", 9000)
    assert settings.nats.subjects == ("a.>", "b.c")


def test_an_answer_leads_to_further_questions(tmp_path: Path) -> None:
    told = "credentials.provider=vault"

    result = init(tmp_path, "--set", told, answers="\n" * 6 + "https://v:8200\n" + "\n" * 9)

    assert result.exit_code == 0
    assert loaded(tmp_path).credentials.url == "https://v:8200"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "say --yes"),
        (("--yes", "--set", "http.prot=1"), 78, "did you mean http.port"),
        (("--yes", "--set", "http.port=99999"), 78, "expected a port"),
        (("--yes", "--set", "instance.name=a\x1b[2J"), 78, "cannot be printed"),
        (("--yes", "--set", "http.port"), 78, "needs ="),
    ],
)
def test_what_cannot_be_used_writes_nothing(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = init(tmp_path, *words)

    assert (result.exit_code, list(tmp_path.iterdir())) == (code, [])
    assert said in result.stderr


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "stratum.ncl").write_text("{}")

    result = init(tmp_path, "--yes")

    assert result.exit_code == 2
    assert (tmp_path / "stratum.ncl").read_text() == "{}"


def test_programs_are_told_what_was_chosen(tmp_path: Path) -> None:
    result = init(tmp_path, "--yes", "--set", "http.port=0", "-o", "json")

    assert json.loads(result.stdout)["settings"] == {"http.port": 0}
