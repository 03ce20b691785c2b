"""What is in force now. A reload replaces it whole; whoever holds one keeps it to the end."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_graph.generation import Generation
from stratum_graph.model import Plan, Principal
from stratum_graph.schemas import compile_schema
from stratum_orchestrator.ports import Authorizer, Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One graph, who may sign events, and what the policies allow them."""

    generation: Generation
    principals: Mapping[str, Principal]
    """By public key."""
    authorizer: Authorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether an event may open one pipeline, and why not."""

    plan: Plan
    decision: Decision | None
    """None when the payload was refused before anybody was asked."""
    code: str
    """`accepted`, `bad-payload` or `denied`."""
    reason: str

    @property
    def allowed(self) -> bool:
        return self.code == "accepted"


def judge(
    rules: Rules, principal: Principal, subject: str, data: object, now_ms: int
) -> tuple[Judgement, ...]:
    """Judge every pipeline that a signed event opens: its schema first, then the policies."""
    return tuple(
        _judge(rules, principal, subject, data, now_ms, plan)
        for plan in rules.generation.plans(subject, data)
    )


def _judge(  # noqa: PLR0913, PLR0917 - one call of the function above
    rules: Rules,
    principal: Principal,
    subject: str,
    data: object,
    now_ms: int,
    plan: Plan,
) -> Judgement:
    if problems := payload_problems(plan, data):
        reason = f"the payload does not fit {plan.pipeline}: {problems}"
        return Judgement(plan=plan, decision=None, code="bad-payload", reason=reason)
    context = {"now": now_ms // 1000, "signed": True, "subject": subject}
    decision = rules.authorizer.decide(principal, "trigger", plan.pipeline, context)
    if decision.allowed:
        return Judgement(plan=plan, decision=decision, code="accepted", reason=decision.reason)
    reason = f"{principal.name} may not trigger {plan.pipeline}: {decision.reason}"
    return Judgement(plan=plan, decision=decision, code="denied", reason=reason)


def payload_problems(plan: Plan, data: object) -> str:
    """How the payload breaks the `event` schemas of the plan's nodes; empty when it fits."""
    problems = {
        problem: None
        for planned in plan.nodes
        if (schema := planned.definition.node.input_schemas.get("event")) is not None
        for problem in compile_schema(schema).problems(data, name="event")
    }
    return "; ".join(problems)
