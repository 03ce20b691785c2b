"""The registers that commands keep: tokens, grants, changed principals."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from platform_nats.nkey import UserKey
from stratum_graph.model import FurtherKey, Principal
from stratum_orchestrator.auth import grants, roster, tokens
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.errors import BadRegister, NameTaken, UnknownName
from stratum_orchestrator.auth.roster import Change
from stratum_orchestrator.errors import BadGrant
from stratum_orchestrator.home import token_digest
from stratum_orchestrator.saga.grant import open_grant
from support.people import ADA, BOT, GRANT, granted

NOW = 1_790_000_000_000


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access.at(tmp_path / "access")


def test_of_a_token_only_its_hash_is_kept(access: Access) -> None:
    made, text = tokens.add(access.tokens, "ci", "ada", NOW, 60)

    kept = access.tokens.file.read_text()
    assert text.startswith("stratum_")
    assert text not in kept
    assert made.sha256 == token_digest(text)
    assert access.tokens.read().of(token_digest(text)) == made
    assert stat.S_IMODE(access.tokens.file.stat().st_mode) == 0o600


def test_a_token_ends_with_its_time_and_when_it_is_revoked(access: Access) -> None:
    made, _ = tokens.add(access.tokens, "ci", "ada", NOW, 60)

    tokens.revoke(access.tokens, "ci")

    assert (made.is_over(NOW + 59_999), made.is_over(NOW + 60_000)) == (False, True)
    assert access.tokens.read().tokens == ()


def test_names_of_tokens_are_taken_once_and_misspelt_with_a_hint(access: Access) -> None:
    tokens.add(access.tokens, "deploy", "ada", NOW, None)

    with pytest.raises(NameTaken):
        tokens.add(access.tokens, "deploy", "bot", NOW, None)
    with pytest.raises(UnknownName, match="did you mean `deploy`"):
        tokens.revoke(access.tokens, "depoly")


def test_a_change_names_the_keys_that_it_lets_in() -> None:
    former = FurtherKey(key="UFORMER", not_after=datetime(2026, 1, 2, tzinfo=UTC))
    gone = FurtherKey(key="UGONE", not_after=datetime(2026, 1, 2, tzinfo=UTC))
    change = Change(name="ada", key="UNOW", keys=(former, gone), revoked=("UGONE",))

    assert change.let_in == ("UNOW", "UFORMER")
    assert msgspec.structs.replace(change, active=False).let_in == ()
    assert Change(name="ada", groups=("operators",)).let_in == ()


def test_another_process_sees_what_was_changed(access: Access, tmp_path: Path) -> None:
    other = Access.at(tmp_path / "access")
    assert other.tokens.read().tokens == ()

    tokens.add(access.tokens, "ci", "ada", NOW, None)

    assert [each.name for each in other.tokens.read().tokens] == ["ci"]


@pytest.mark.parametrize(
    "content",
    ["", "[" * 100_000, "[]", '{"tokens": [{"name": "x"}]}', '{"extra": 1}', "\ufeff{}"],
)
def test_a_register_that_makes_no_sense_is_refused(access: Access, content: str) -> None:
    access.tokens.file.parent.mkdir()
    access.tokens.file.write_text(content)
    access.tokens.file.chmod(0o600)

    with pytest.raises(BadRegister, match=r"tokens\.json cannot be used"):
        access.tokens.read()


def test_a_register_that_is_no_file_is_refused_and_not_waited_for(access: Access) -> None:
    access.tokens.file.parent.mkdir()
    os.mkfifo(access.tokens.file, 0o600)

    with pytest.raises(BadRegister, match="it is no plain file"):
        access.tokens.read()


def test_a_register_that_others_can_write_is_refused(access: Access) -> None:
    tokens.add(access.tokens, "ci", "ada", NOW, None)
    access.tokens.file.chmod(0o666)

    with pytest.raises(BadRegister, match="others can write it"):
        access.tokens.read()


def test_a_stored_grant_is_found_for_its_agent_alone(access: Access) -> None:
    kept = grants.KeptGrants(access.grants, "here")

    grants.add(access.grants, open_grant(granted(), "here"))

    assert [each.grant.id for each in kept.kept(BOT.every_key)] == ["g-1"]
    assert kept.kept(ADA.every_key) == []


def test_a_revoked_grant_is_gone_for_good(access: Access) -> None:
    kept = grants.KeptGrants(access.grants, "here")
    grants.add(access.grants, open_grant(granted(), "here"))

    grants.revoke(access.grants, "g-1", NOW, "left the team")

    assert kept.is_revoked("g-1")
    assert kept.kept(BOT.every_key) == []
    with pytest.raises(NameTaken):
        grants.add(access.grants, open_grant(granted(), "here"))


def test_without_the_register_no_grant_is_known_to_hold(access: Access) -> None:
    access.grants.file.parent.mkdir()
    access.grants.file.write_text("{")

    with pytest.raises(BadGrant):
        grants.KeptGrants(access.grants, "here").is_revoked(GRANT.id)


def test_a_change_lies_over_what_is_declared(access: Access) -> None:
    roster.amend(access.principals, Change(name="ada", active=False))
    roster.amend(access.principals, Change(name="ada", groups=("operators",)))

    [ada, bot], problems = access.principals.read().merged([ADA, BOT], "principals.json")

    assert ada == msgspec.structs.replace(ADA, active=False, groups=("operators",))
    assert (bot, problems) == (BOT, ())


def test_somebody_who_is_not_declared_can_be_added(access: Access) -> None:
    key = UserKey.generate().public

    roster.amend(access.principals, Change(name="new", key=key, kind="agent"))

    people, _ = access.principals.read().merged([], "principals.json")
    assert people == (Principal(key=key, name="new", kind="agent"),)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (Change(name="x"), "missing required field `key`"),
        (Change(name="x", key="SU" + "A" * 56), "not an NKey"),
        (Change(name="x", key=ADA.key), "have the same key"),
        (Change(name="x", key=UserKey.generate().public, kind="god"), "Invalid enum value"),
        (Change(name="bot", revoked=(ADA.key,)), "have the same key"),
    ],
)
def test_what_cannot_be_is_found_before_it_counts(
    access: Access, change: Change, problem: str
) -> None:
    roster.amend(access.principals, change)

    _, problems = access.principals.read().merged([ADA, BOT], "principals.json")

    assert problem in str(problems[0])
