"""Decisions by the shipped policies, and what happens when a question makes no sense."""

from pathlib import Path

import pytest

from stratum_graph.model import Principal
from stratum_orchestrator.auth.cedar import CedarAuthorizer, PolicySet
from stratum_orchestrator.auth.entities import PipelineFacts
from support.graph import node

SHIPPED = Path(__file__).parents[3] / "policies"
SIGNED = {"now": 1_767_225_600, "signed": True}
ADA = Principal(key="UADA", name="ada", groups=("publishers",))
OLGA = Principal(key="UOLGA", name="olga", groups=("operators",))


@pytest.fixture(scope="module")
def authorizer() -> CedarAuthorizer:
    policies = PolicySet.load(SHIPPED)
    return CedarAuthorizer(policies).use({"build": PipelineFacts()})


def test_a_decision_names_policy_and_policy_set(authorizer: CedarAuthorizer) -> None:
    decision = authorizer.decide(ADA, "trigger", "build", SIGNED)

    assert decision.allowed
    assert decision.policies == ("publishers.trigger",)
    assert decision.reason == "permitted by publishers.trigger"
    assert decision.policy_set == authorizer.policies.digest


def test_a_guard_is_named_when_it_forbids(authorizer: CedarAuthorizer) -> None:
    gone = Principal(key="UADA", name="ada", groups=("publishers",), active=False)

    decision = authorizer.decide(gone, "trigger", "build", SIGNED)

    assert not decision.allowed
    assert decision.reason == "forbidden by guard.active"


def test_silence_of_the_policies_is_a_no(authorizer: CedarAuthorizer) -> None:
    decision = authorizer.decide(OLGA, "trigger", "build", SIGNED)

    assert not decision.allowed
    assert decision.reason == "no permit matched"


def test_an_unknown_pipeline_cannot_be_triggered(authorizer: CedarAuthorizer) -> None:
    decision = authorizer.decide(ADA, "trigger", "biuld", SIGNED)

    assert not decision.allowed
    assert decision.reason == "there is no pipeline `biuld`"


def test_a_run_outlives_its_pipeline_for_operators(authorizer: CedarAuthorizer) -> None:
    decision = authorizer.decide(OLGA, "abandon", "removed-yesterday", SIGNED)

    assert decision.allowed


@pytest.mark.parametrize(
    ("action", "context"),
    [
        ("trigger", {"signed": True}),
        ("trigger", {"now": 0}),
        ("trigger", {"now": True, "signed": True}),
        ("trigger", {"now": 2**63, "signed": True}),
        ("trigger", {**SIGNED, "subject": {"__entity": {"type": "Stratum::User", "id": "U"}}}),
        ("fly", SIGNED),
        ("reload", SIGNED),
    ],
)
def test_a_question_out_of_shape_is_denied_with_its_error(
    authorizer: CedarAuthorizer, action: str, context: dict[str, object]
) -> None:
    decision = authorizer.decide(ADA, action, "build", context)

    assert not decision.allowed
    assert decision.errors
    assert decision.reason.startswith("evaluation error: ")


def test_undeclared_context_never_reaches_cedar(authorizer: CedarAuthorizer) -> None:
    payload = {"__entity": {"type": "Stratum::Group", "id": "operators"}}

    decision = authorizer.decide(ADA, "trigger", "build", {**SIGNED, "payload": payload})

    assert decision.allowed


@pytest.mark.parametrize("name", ['"', "\\", "a\nb", 'x" in Stratum::Group::"operators'])
def test_names_are_data_and_never_policy_text(authorizer: CedarAuthorizer, name: str) -> None:
    odd = Principal(key=name, name=name, groups=(name,))
    there = authorizer.use({name: PipelineFacts(labels={name: name})})

    decision = there.decide(odd, "trigger", name, SIGNED)

    assert decision.reason == "no permit matched"


def test_another_generation_is_another_authorizer(authorizer: CedarAuthorizer) -> None:
    moved = authorizer.use({"build": PipelineFacts(tenant="elsewhere")})

    before = authorizer.decide(ADA, "trigger", "build", SIGNED)
    after = moved.decide(ADA, "trigger", "build", SIGNED)

    assert before.allowed
    assert after.reason == "forbidden by guard.tenant"


def test_no_label_of_one_node_hides_that_of_another(authorizer: CedarAuthorizer) -> None:
    nodes = [
        node(value, labels={"approval": value}, undo=False).node
        for value in ("four-eyes", "one")
    ]
    there = authorizer.use({"build": PipelineFacts.of(nodes)})

    decision = there.decide(OLGA, "approve", "build", {**SIGNED, "publisher": OLGA.key})

    assert decision.reason == "forbidden by guard.four-eyes"


def test_an_error_beside_a_permit_denies(tmp_path: Path) -> None:
    (tmp_path / "s.cedarschema").write_text((SHIPPED / "stratum.cedarschema").read_text())
    (tmp_path / "p.cedar").write_text(
        '@id("all") permit (principal, action, resource);\n'
        '@id("late") forbid (principal, action, resource)\n'
        "when { context.now * 9223372036854775807 > 0 };\n"
    )
    authorizer = CedarAuthorizer(PolicySet.load(tmp_path)).use({"build": PipelineFacts()})

    decision = authorizer.decide(ADA, "trigger", "build", SIGNED)

    assert not decision.allowed
    assert decision.policies == ()
    assert "overflow" in decision.reason
