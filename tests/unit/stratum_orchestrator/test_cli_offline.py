import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stratum_orchestrator.cli.app import stratum

SUBJECT = "events.greet.requested"


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(stratum, [*words, "--home", str(project / ".stratum")])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    done = run(tmp_path, "new", "node", "hello", "--pipeline", "greet")
    assert done.exit_code == 0
    return tmp_path


def test_a_new_node_is_without_fault(project: Path) -> None:
    result = run(project, "lint")

    assert (result.exit_code, result.stdout) == (0, "✔ 0 errors, 0 warnings\n")


def test_a_new_node_is_not_written_over_another(project: Path) -> None:
    result = run(project, "new", "node", "hello", "--pipeline", "greet")

    assert result.exit_code == 2
    assert "not written over" in result.output


@pytest.mark.parametrize("name", ["../x", "Hello", "a;rm", "x" * 64, ""])
def test_a_name_that_no_node_can_have_is_refused(tmp_path: Path, name: str) -> None:
    result = run(tmp_path, "new", "node", name)

    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_node_of_its_own_pipeline_lies_in_one_folder(tmp_path: Path) -> None:
    made = json.loads(run(tmp_path, "new", "node", "hello", "-o", "json").stdout)

    assert made["pipeline"] == "hello"
    assert {Path(each).parent for each in made["files"]} == {tmp_path / "nodes" / "hello"}


def test_templates_are_listed_and_shown(tmp_path: Path) -> None:
    listed = json.loads(run(tmp_path, "new", "--list", "-o", "json").stdout)
    shown = [run(tmp_path, "new", "show", each["template"]) for each in listed]

    assert {each["template"] for each in listed} == {"saga", "fan-out", "build"}
    assert all("/node.ncl" in each.stdout and "@" not in each.stdout for each in shown)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["new", "pipeline", "mine", "--template", "nope"], 6),
        (["new", "show", "nope"], 6),
        (["new", "pipeline", "Mine"], 2),
        (["new", "pipeline", "x" * 41], 2),
        (["new"], 2),
        (["test", "nope"], 6),
        (["test", "greet", "--subject", "events.other"], 6),
        (["test", "greet", "--fail", "nope"], 6),
        (["test", "greet", "--data", "{"], 2),
    ],
)
def test_what_is_not_there_is_told(project: Path, words: list[str], code: int) -> None:
    result = run(project, *words)

    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_a_pipeline_is_not_written_over_another(project: Path) -> None:
    result = run(project, "new", "pipeline", "greet")

    assert result.exit_code == 2
    assert "not written over" in result.output


def test_lint_names_the_place_of_every_mistake(project: Path) -> None:
    file = project / "nodes" / "greet" / "hello" / "node.ncl"
    file.write_text(file.read_text().replace("timeout =", "timeuot =", 1))

    result = run(project, "lint", "-o", "jsonl")

    assert result.exit_code == 65
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {Path(each["file"]).resolve() for each in found} == {file.resolve()}


def test_a_plan_has_the_digest_that_the_run_will_have(project: Path) -> None:
    people = run(project, "plan", SUBJECT)
    programs = json.loads(run(project, "plan", SUBJECT, "-o", "json").stdout)

    plan = programs["plans"][0]
    assert plan["stages"] == [["hello"]]
    assert plan["digest"] in people.stdout


def test_a_subject_that_opens_nothing_is_met_with_the_nearest(project: Path) -> None:
    result = run(project, "plan", "events.greet.requestd")

    assert result.exit_code == 6
    assert f"did you mean {SUBJECT}?" in result.output


def test_explain_names_the_policies_that_decide(project: Path) -> None:
    _introduce(project, groups='["publishers"]')

    result = run(project, "explain", SUBJECT, "-d", '{"who": "me"}', "-o", "json")

    told = json.loads(result.stdout)["pipelines"][0]
    assert (result.exit_code, told["allowed"]) == (0, True)
    assert told["policies"] == ["publishers.trigger"]


@pytest.mark.parametrize(
    ("groups", "data", "why"),
    [
        ("[]", '{"who": "me"}', "no permit matched"),
        ('["publishers"]', "{}", '"who" is a required property'),
    ],
)
def test_explain_says_why_not(project: Path, groups: str, data: str, why: str) -> None:
    _introduce(project, groups=groups)

    result = run(project, "explain", SUBJECT, "-d", data)

    assert result.exit_code == 4
    assert why in result.stdout


def test_whoever_is_not_listed_is_nobody(project: Path) -> None:
    run(project, "keys", "new")

    result = run(project, "explain", SUBJECT)

    assert result.exit_code == 4
    assert "is nobody in" in result.output


@pytest.mark.parametrize("data", ["{", '{"a": NaN}', '{"a": 1, "a": 2}', "@/nowhere"])
def test_data_that_is_no_strict_json_is_wrong_usage(project: Path, data: str) -> None:
    result = run(project, "plan", SUBJECT, "-d", data)

    assert result.exit_code == 2
    assert "give JSON, @FILE or - for standard input" in result.output


def test_the_graph_is_drawn_for_markdown_and_graphviz(project: Path) -> None:
    mermaid = run(project, "graph").stdout
    dot = run(project, "graph", "--format", "dot").stdout

    assert "  e0 --> n0\n" in mermaid
    assert f'"event {SUBJECT}" -> "hello";' in dot


def test_what_does_not_exist_cannot_be_checked(project: Path) -> None:
    result = run(project, "lint", str(project / "nowhere"))

    assert result.exit_code == 6


def _introduce(project: Path, *, groups: str) -> None:
    made = run(project, "keys", "new", "-o", "json")
    key = json.loads(made.stdout)["public"]
    people = project / ".stratum" / "principals.ncl"
    people.write_text(f'[{{ key = "{key}", name = "ada", groups = {groups} }}]')
