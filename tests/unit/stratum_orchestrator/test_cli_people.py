"""Commands about who has access: they change files that a daemon reads."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_nats.nkey import UserKey
from stratum_orchestrator.cli import keyring
from stratum_orchestrator.cli.app import stratum

DECLARED = """
# who is who
[ { key = "KEY", name = "ada", groups = ["publishers"] } ]
"""


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(stratum, [*words, "--home", str(project / ".stratum")])


def told(project: Path, *words: str) -> dict[str, object]:
    result = run(project, *words, "-o", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def everybody(project: Path) -> dict[str, dict[str, object]]:
    found = json.loads(run(project, "principals", "list", "-o", "json").stdout)
    return {each["name"]: each for each in found}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A home in which ada is declared, with her key."""
    key = UserKey.generate()
    keyring.write(tmp_path / ".stratum" / "keys" / "ada.nk", key)
    file = tmp_path / ".stratum" / "principals.ncl"
    file.write_text(DECLARED.replace("KEY", key.public))
    return tmp_path


def test_who_is_added_stands_beside_who_is_declared(project: Path) -> None:
    before = (project / ".stratum" / "principals.ncl").read_text()

    added = told(project, "principals", "add", "bot", "--kind", "agent", "--group", "ci")

    assert (added["kind"], added["groups"]) == ("agent", ["ci"])
    assert {name: each["from"] for name, each in everybody(project).items()} == {
        "ada": "declared",
        "bot": "added",
    }
    assert (project / ".stratum" / "principals.ncl").read_text() == before
    seed = project / ".stratum" / "keys" / "bot.nk"
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600


def test_a_disabled_principal_can_be_enabled_again(project: Path) -> None:
    run(project, "principals", "disable", "ada")
    disabled = everybody(project)["ada"]

    run(project, "principals", "enable", "ada")

    assert (disabled["active"], disabled["from"]) == (False, "declared, changed")
    assert everybody(project)["ada"]["active"] is True


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("principals", "add", "ada"), 2, "already"),
        (("principals", "disable", "adda"), 6, "known are ada"),
        (("principals", "add", "x", "--key", "SUSEED"), 65, "not an NKey"),
        (("tokens", "add", "t", "--principal", "nobody"), 6, "no principal"),
        (("tokens", "add", "t", "--principal", "ada", "--expires", "soon"), 2, "no duration"),
        (("tokens", "revoke", "t"), 6, "no token"),
        (("grants", "sign", "--to", "ada", "--as", "ada", "--expires", "31d"), 2, "30d"),
        (("grants", "add", "x.y"), 4, "cannot be"),
        (("keys", "rotate", "nobody"), 6, "no principal"),
        (("keys", "revoke", "UNKNOWN"), 6, "no principal"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    project: Path, words: tuple[str, ...], code: int, why: str
) -> None:
    result = run(project, *words)

    assert (result.exit_code, why in result.output) == (code, True), result.output
    assert "SUSEED" not in result.output
    assert list(everybody(project)) == ["ada"]


def test_a_token_is_shown_once(project: Path) -> None:
    made = told(project, "tokens", "add", "ci", "--principal", "ada", "--expires", "30d")

    [listed] = json.loads(run(project, "tokens", "list", "-o", "json").stdout)

    assert str(made["token"]).startswith("stratum_")
    assert (listed["name"], listed["principal"]) == ("ci", "ada")
    assert "token" not in listed
    assert str(made["token"]) not in run(project, "tokens", "list").output


def test_a_rotated_key_counts_for_a_while(project: Path) -> None:
    former = everybody(project)["ada"]["key"]

    fresh = told(project, "keys", "rotate", "ada", "--overlap", "1h")

    ada = everybody(project)["ada"]
    [kept] = ada["keys"]  # type: ignore[misc]
    assert (ada["key"], kept["key"]) == (fresh["public"], former)
    assert keyring.read(project / ".stratum" / "keys" / "ada.nk").public == fresh["public"]
    assert keyring.read(project / ".stratum" / "keys" / f"{former}.nk").public == former


def test_a_revoked_key_is_remembered(project: Path) -> None:
    former = str(everybody(project)["ada"]["key"])
    run(project, "keys", "rotate", "ada")

    run(project, "keys", "revoke", former)

    ada = everybody(project)["ada"]
    assert (ada["keys"], ada["revoked"]) == ([], [former])


def test_a_grant_is_signed_stored_and_revoked(project: Path) -> None:
    run(project, "principals", "add", "bot", "--kind", "agent")
    signing = ("grants", "sign", "--to", "bot", "--as", "ada", "--pipeline", "build")

    signed = told(project, *signing)
    run(project, "grants", "add", str(signed["text"]))
    stored = json.loads(run(project, "grants", "list", "-o", "json").stdout)
    run(project, "grants", "revoke", str(signed["id"]), "--reason", "done")
    left = json.loads(run(project, "grants", "list", "-o", "json").stdout)

    assert (signed["actions"], signed["pipelines"]) == (["trigger"], ["build"])
    assert [each["id"] for each in stored] == [signed["id"]]
    assert (left[0]["id"], left[0]["reason"]) == (signed["id"], "done")


def opinions(project: Path, *words: str, code: int) -> tuple[str, set[str]]:
    result = run(project, "authz", "explain", *words, "-o", "json")
    assert result.exit_code == code, result.output
    answer = json.loads(result.stdout)
    applying = {
        each["policy"]
        for part in answer["asked"]
        for each in part["policies"]
        if each["applies"]
    }
    return answer["reason"], applying


def test_a_decision_is_explained_policy_by_policy(project: Path) -> None:
    run(project, "new", "node", "hello", "--pipeline", "greet")
    asked = ("ada", "trigger", "greet")

    allowed = opinions(project, *asked, code=0)
    denied = opinions(project, *asked, "-c", "signed=false", code=4)

    assert allowed == ("permitted by publishers.trigger", {"publishers.trigger"})
    assert denied == ("forbidden by guard.signed", {"publishers.trigger", "guard.signed"})


def test_with_a_grant_both_are_explained(project: Path) -> None:
    run(project, "new", "node", "hello", "--pipeline", "greet")
    run(project, "principals", "add", "bot", "--kind", "agent")
    signed = told(project, "grants", "sign", "--to", "bot", "--as", "ada")

    _, applying = opinions(
        project, "bot", "trigger", "greet", "--grant", str(signed["text"]), code=0
    )

    assert applying == {"agents.delegated", "publishers.trigger"}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("nobody", "trigger", "greet"), 6, "no principal"),
        (("ada", "fly", "greet"), 4, "does not exist"),
        (("ada", "trigger", "great"), 4, "no pipeline `great`"),
        (("ada", "trigger", "greet", "-c", "payload=x"), 6, "no key of a context"),
        (("ada", "trigger", "greet", "-c", "now=soon"), 6, "must be of type int"),
        (("ada", "trigger", "greet", "-c", "now"), 2, "KEY=VALUE"),
    ],
)
def test_a_question_that_makes_no_sense_says_why(
    project: Path, words: tuple[str, ...], code: int, why: str
) -> None:
    run(project, "new", "node", "hello", "--pipeline", "greet")

    result = run(project, "authz", "explain", *words)

    assert (result.exit_code, why in result.output) == (code, True), result.output
