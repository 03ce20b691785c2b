"""What is in force now. A reload replaces it whole; whoever holds one keeps it to the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from stratum_graph.generation import UNKNOWN, Generation
from stratum_graph.model import Plan, Principal
from stratum_graph.schemas import compile_schema
from stratum_orchestrator.ports import Authorizer, Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, decide, lapsed
from stratum_orchestrator.saga.grant import Grants, NoGrants
from stratum_orchestrator.saga.standings import delay, refusal
from stratum_state.model import PipelineRun
from stratum_state.standing import StandingRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One graph, who may sign events, and what the policies allow them."""

    generation: Generation
    principals: Mapping[str, Principal]
    """By each public key that is or was theirs."""
    authorizer: Authorizer
    lacks: Callable[[Plan], str] = lambda _: ""
    """What this machine lacks for a plan, with the remedy; empty when it can be carried out."""
    nothing_lent: str = ""
    """Why nodes that declare credentials get none; empty when they do."""
    grants: Grants = field(default_factory=NoGrants)
    standing: Callable[[str], StandingRecord | None] = lambda _: None
    """How a pipeline stands that is or was held back."""
    choice: "Choice | None" = None
    """With which version an event wants to be judged; None is what is in force."""

    def by(self, version: str, policies: tuple[str, ...]) -> Self:
        """The same, as an event has chosen them."""
        return replace(self, choice=Choice(version, policies))

    def lapsed(self, run: PipelineRun, now_ms: int) -> str | None:
        """Why the run may not go on by the mandate that it began with; None when it may."""
        is_defined = run.pipeline in self.generation.pipelines
        return lapsed(self, run, now_ms, is_defined=is_defined)


class Choice(NamedTuple):
    """A version that an event names, and the policies that allow it to."""

    version: str
    """Digest."""
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether an event may open one pipeline, and why not."""

    plan: Plan
    decision: Decision | None
    """None when it was refused before anybody was asked."""
    code: str
    """`accepted`, `bad-payload`, `denied`, `disabled`, `cannot-run` or `no-credentials`."""
    reason: str

    @property
    def allowed(self) -> bool:
        return self.code == "accepted"


def judge(
    rules: Rules, asker: Principal | Asker, subject: str, data: object, now_ms: int
) -> tuple[Judgement, ...]:
    """Judge every pipeline that a signed event opens: its schema first, then the policies.

    With `UNKNOWN` data only the policies are asked. What could not get its credentials is
    refused last.
    """
    plans = rules.generation.plans(subject, data)
    who = asker if isinstance(asker, Asker) else Asker(principal=asker)
    asked = Asked(who, subject, now_ms)
    return tuple(_refuse(plan, data) or _ask(rules, asked, plan) for plan in plans)


class Asked(NamedTuple):
    """Who wants what, and when."""

    asker: Asker
    subject: str
    now_ms: int


def _refuse(plan: Plan, data: object) -> Judgement | None:
    problems = "" if data is UNKNOWN else payload_problems(plan, data)
    if not problems:
        return None
    reason = f"the payload does not fit {plan.pipeline}: {problems}"
    return Judgement(plan=plan, decision=None, code="bad-payload", reason=reason)


def _ask(rules: Rules, asked: Asked, plan: Plan) -> Judgement:
    version = {"version": rules.choice.version} if rules.choice else {}
    matter = Matter(
        action="trigger",
        pipeline=plan.pipeline,
        now_ms=asked.now_ms,
        about={"subject": asked.subject, **version},
    )
    decision = decide(rules, asked.asker, matter)
    standing = rules.standing(plan.pipeline)
    if decision.allowed and (why := refusal(standing)):
        return Judgement(plan=plan, decision=decision, code="disabled", reason=why)
    if decision.allowed and (lack := rules.lacks(plan)):
        reason = f"{plan.pipeline} cannot run: {lack}"
        return Judgement(plan=plan, decision=decision, code="cannot-run", reason=reason)
    if decision.allowed and rules.nothing_lent and (node := _borrower(plan)):
        why = f"`{node}` declares credentials: {rules.nothing_lent}"
        return Judgement(plan=plan, decision=decision, code="no-credentials", reason=why)
    if decision.allowed:
        reason = f"{decision.reason}{delay(standing)}"
        return Judgement(plan=plan, decision=decision, code="accepted", reason=reason)
    reason = f"{asked.asker.principal.name} may not trigger {plan.pipeline}: {decision.reason}"
    return Judgement(plan=plan, decision=decision, code="denied", reason=reason)


def _borrower(plan: Plan) -> str:
    """A node of the plan that declares credentials, if there is one."""
    nodes = (planned.definition.node for planned in plan.nodes)
    return next((each.name for each in nodes if each.credentials), "")


def payload_problems(plan: Plan, data: object) -> str:
    """How the payload breaks the `event` schemas of the plan's nodes; empty when it fits."""
    problems = {
        problem: None
        for planned in plan.nodes
        if (schema := planned.definition.node.input_schemas.get("event")) is not None
        for problem in compile_schema(schema).problems(data, name="event")
    }
    return "; ".join(problems)
