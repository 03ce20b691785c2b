"""What an agent may do by itself, and with a user's grant."""

import pytest
from msgspec.structs import replace

from platform_nats.nkey import UserKey
from stratum_graph.model import FurtherKey, Principal
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, decide
from stratum_orchestrator.saga.grant import Grant
from support.people import ADA, ADA_KEY, BOT, BOT_KEY, GRANT, HOUR_MS, Law, Shelf, granted
from support.saga import START_MS

LAW = Law()


def asked(
    grant: str,
    law: Law = LAW,
    agent: Principal = BOT,
    *,
    action: str = "trigger",
    pipeline: str = "build",
    subject: str = "events.go",
    now_ms: int = START_MS,
) -> Decision:
    matter = Matter(action=action, pipeline=pipeline, now_ms=now_ms, about={"subject": subject})
    return decide(law, Asker(principal=agent, grant=grant), matter)


def test_an_agent_alone_has_only_its_own_permissions() -> None:
    publisher = replace(BOT, groups=("publishers",))

    assert asked("").reason == "no permit matched"
    assert asked("", agent=publisher).policies == ("publishers.trigger",)
    assert asked("", agent=publisher, pipeline="payout").policies == ("guard.agent",)


def test_with_a_grant_both_are_asked_and_both_are_named() -> None:
    decision = asked(granted())

    assert decision.allowed
    assert decision.policies == ("agents.delegated", "publishers.trigger")
    assert decision.mandate is not None
    assert (decision.mandate.grant, decision.mandate.user) == ("g-1", "ada")
    assert "for ada by grant g-1" in decision.reason


def test_a_grant_that_is_stored_need_not_be_presented() -> None:
    law = Law(grants=Shelf(granted()))

    decision = asked("", law)

    assert decision.allowed
    assert decision.mandate is not None


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"pipeline": "payout"}, "does not cover payout"),
        ({"subject": "secret.go"}, "does not cover secret.go"),
        ({"action": "retry"}, "does not cover retry"),
        ({"now_ms": START_MS + HOUR_MS}, "expired at 20"),
        ({"now_ms": START_MS - HOUR_MS - 1}, "not valid before"),
    ],
)
def test_what_the_scope_leaves_out_is_denied(wanted: dict[str, object], why: str) -> None:
    decision = asked(granted(), **wanted)  # type: ignore[arg-type]

    assert not decision.allowed
    assert why in decision.reason


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (replace(ADA, groups=()), "no permit matched"),
        (replace(ADA, active=False), "disabled"),
        (replace(ADA, kind="agent"), "only users can grant"),
        (replace(ADA, key=BOT.key[:-1] + "A", revoked=(ADA.key,)), "is revoked"),
    ],
)
def test_what_the_user_loses_the_agent_loses(user: Principal, why: str) -> None:
    decision = asked(granted(), LAW.but(user))

    assert not decision.allowed
    assert why in decision.reason


def test_what_the_agent_may_not_no_grant_gives() -> None:
    elsewhere = replace(BOT, tenant="elsewhere")

    decision = asked(granted(), LAW.but(elsewhere), elsewhere)

    assert not decision.allowed
    assert decision.policies == ("guard.tenant",)


@pytest.mark.parametrize(
    "grant",
    [
        granted(replace(GRANT, audience="staging")),
        granted(replace(GRANT, expires=GRANT.not_before + 31 * 24 * HOUR_MS)),
        granted(key=BOT_KEY),
        granted(replace(GRANT, agent=UserKey.generate().public)),
        granted(replace(GRANT, user=BOT.key), BOT_KEY),
        granted()[:-20] + "A" * 20,
        granted().replace(".", ""),
        "…",
        "x" * 9000,
    ],
)
def test_a_grant_that_is_not_what_it_should_be_is_denied(grant: str) -> None:
    decision = asked(grant)

    assert not decision.allowed
    assert decision.mandate is None
    assert "grant" in decision.reason


def test_a_signature_over_one_scope_is_none_over_another() -> None:
    wider: Grant = replace(GRANT, pipelines=("*",))
    forged = granted(wider).split(".")[0] + "." + granted().split(".")[1]

    decision = asked(forged, pipeline="payout")

    assert "signature" in decision.reason


def test_a_presented_grant_is_not_replaced_by_a_stored_one() -> None:
    law = Law(grants=Shelf(granted()))

    decision = asked(granted(replace(GRANT, id="g-2", pipelines=("payout",))), law)

    assert not decision.allowed


def test_a_revoked_grant_does_not_hold() -> None:
    law = Law()
    law.grants.revoked.add("g-1")

    decision = asked(granted(), law)

    assert decision.reason == "grant g-1: it was revoked"


def test_when_nobody_knows_what_was_revoked_no_grant_holds() -> None:
    law = Law()
    law.grants.unreadable = "grants.json cannot be used"

    decision = asked(granted(), law)

    assert not decision.allowed
    assert "grants.json cannot be used" in decision.reason


def test_a_grant_is_for_agents() -> None:
    person = replace(BOT, kind="user")

    decision = asked(granted(), LAW.but(person), person)

    assert not decision.allowed


def test_grants_outlive_a_change_of_keys() -> None:
    old = FurtherKey(key=ADA_KEY.public)
    user = replace(ADA, key=UserKey.generate().public, keys=(old,))

    assert asked(granted(), LAW.but(user)).allowed
