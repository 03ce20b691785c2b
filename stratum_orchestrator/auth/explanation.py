"""Why a decision is as it is: what every policy says of the same question, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from stratum_graph.model import Principal
from stratum_orchestrator.auth.cedar import CedarAuthorizer, Opinion
from stratum_orchestrator.auth.entities import DECLARED
from stratum_orchestrator.auth.errors import UnknownName, UnusableContext
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Law, Matter, decide

DAEMON = "daemon"
"""How the daemon is called where a pipeline could stand; `pipeline:daemon` is one."""
_PIPELINE = "pipeline:"
_KEY = "key of a context"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the policies say of one of those who are asked about."""

    principal: str
    opinions: Sequence[Opinion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision and its reasons."""

    decision: Decision
    parts: Sequence[Part]

    def view(self) -> dict[str, object]:
        """As JSON has it."""
        decision = self.decision
        return {
            "allowed": decision.allowed,
            "reason": decision.reason,
            "policies": list(decision.policies),
            "policy_set": decision.policy_set,
            "errors": list(decision.errors),
            "asked": [
                {"principal": each.principal, "policies": [asdict(x) for x in each.opinions]}
                for each in self.parts
            ],
        }


def explain(law: Law, authorizer: CedarAuthorizer, asker: Asker, matter: Matter) -> Explanation:
    """The decision, and who says what; with a mandate, of the agent and of the user."""
    decision = decide(law, asker, matter)
    context, mandate = matter.context, decision.mandate

    def part(who: Principal, more: Mapping[str, str]) -> Part:
        told = {**context, **more}
        return Part(
            principal=who.name,
            opinions=authorizer.opinions(who, matter.action, matter.pipeline, told),
        )

    if mandate is None:
        return Explanation(decision=decision, parts=[part(asker.principal, {})])
    agent, user = asker.principal, law.principals[mandate.key]
    halves = [part(agent, {"delegator": user.key}), part(user, {"delegate": agent.key})]
    return Explanation(decision=decision, parts=halves)


def principal_named(name: str, people: Mapping[str, Principal]) -> Principal:
    """By name or key; UnknownName."""
    found = people.get(name) or next((x for x in people.values() if x.name == name), None)
    if found is None:
        raise UnknownName("principal", name, [each.name for each in people.values()])
    return found


def pipeline_named(resource: str) -> str:
    """The pipeline that is meant; empty for the daemon."""
    return "" if resource == DAEMON else resource.removeprefix(_PIPELINE)


def context_of(given: Mapping[str, str], people: Mapping[str, Principal]) -> dict[str, object]:
    """Texts as the kinds that policies know; principals' names as their keys."""
    known: dict[str, object] = {}
    for name, text in given.items():
        kind = DECLARED.get(name)
        if kind is None:
            raise UnknownName(_KEY, name, list(DECLARED))
        if kind is str:
            named = [each.key for each in people.values() if each.name == text]
            known[name] = named[0] if named and name != "subject" else text
        elif kind is bool and text in {"true", "false"}:
            known[name] = text == "true"
        elif kind is int and text.lstrip("-").isdecimal():
            known[name] = int(text)
        else:
            raise UnusableContext(name, kind.__name__, text)
    return known
