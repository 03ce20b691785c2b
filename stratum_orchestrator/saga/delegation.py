"""Deciding for whoever asks: by itself, or on a user's behalf with that user's grant. Pure.

With a grant, what may be done is what the agent may, what the user may and what the grant
covers, all three. Nothing of it is remembered: it is asked anew each time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from stratum_graph.model import Principal
from stratum_orchestrator.errors import BadGrant
from stratum_orchestrator.ports import Authorizer, Decision, Mandate
from stratum_orchestrator.saga.grant import Grant, Grants, Signed
from stratum_state.model import PipelineRun


class Law(Protocol):
    """By what is decided: the rules that are in force."""

    @property
    def principals(self) -> Mapping[str, Principal]: ...
    @property
    def authorizer(self) -> Authorizer: ...
    @property
    def grants(self) -> Grants: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A principal, and the grant that it presents."""

    principal: Principal
    grant: str = ""
    """Text; empty when none is presented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is asked about, and when."""

    action: str
    pipeline: str
    """Empty is the daemon."""
    now_ms: int
    about: Mapping[str, object]
    """Keys of the policies' context."""

    @property
    def context(self) -> Mapping[str, object]:
        return {"now": self.now_ms // 1000, "signed": True, **self.about}


def decide(law: Law, asker: Asker, matter: Matter) -> Decision:
    """The decision. Of the grants that are stored, any one that suffices is enough."""
    alone = law.authorizer.decide(
        asker.principal, matter.action, matter.pipeline, matter.context
    )
    try:
        if asker.grant:
            return _with(law, asker.principal, law.grants.opened(asker.grant), matter)
        if alone.allowed or asker.principal.kind != "agent":
            return alone
        last = alone
        for signed in law.grants.kept(asker.principal.every_key):
            last = _with(law, asker.principal, signed, matter)
            if last.allowed:
                break
    except BadGrant as bad:
        return _denied(alone, f"the grant cannot be used: {bad.why}")
    return last


def about(run: PipelineRun, principals: Mapping[str, Principal]) -> Mapping[str, str]:
    """What policies are told of a run: its subject, who started it, and for whom."""
    owner = principals.get(run.publisher)
    found = {"subject": run.subject, "publisher": owner.key if owner else run.publisher}
    mandate = mandate_of(run)
    return found | ({"publisher_for": mandate.key} if mandate else {})


def mandate_of(run: PipelineRun) -> Mandate | None:
    """On whose behalf the run was started."""
    said = json.loads(run.authorization)
    found = said.get("mandate") if isinstance(said, dict) else None
    return Mandate(**found) if isinstance(found, dict) else None


def lapsed(law: Law, run: PipelineRun, now_ms: int, *, is_defined: bool) -> str | None:
    """Why a run that an agent started on somebody's behalf may not go on; None when it may.

    `is_defined` tells whether its pipeline still is: otherwise only grant and people count.
    """
    mandate = mandate_of(run)
    if mandate is None:
        return None
    agent = law.principals.get(mandate.agent)
    if agent is None:
        return f"the agent that started it for {mandate.user} is no principal any more"
    asked = {"subject": run.subject}
    matter = Matter(action="trigger", pipeline=run.pipeline, now_ms=now_ms, about=asked)
    why = ""
    try:
        signed = law.grants.opened(mandate.text)
        why = _fault(law, agent, signed.grant, now_ms)
        if not why and is_defined:
            decision = _with(law, agent, signed, matter)
            why = "" if decision.allowed else decision.reason
    except BadGrant as bad:
        why = bad.why
    return (
        f"grant {mandate.grant} of {mandate.user} does not hold any more: {why}"
        if why
        else None
    )


def _with(law: Law, agent: Principal, signed: Signed, matter: Matter) -> Decision:
    """Agent, user and scope together."""
    grant = signed.grant
    subject = str(matter.about.get("subject", ""))
    why = _fault(law, agent, grant, matter.now_ms)
    why = why or grant.outside(matter.action, matter.pipeline, subject)
    user = law.principals.get(grant.user)
    context = {**matter.context, "delegator": user.key if user else grant.user}
    half = law.authorizer.decide(agent, matter.action, matter.pipeline, context)
    if why or user is None:
        return _denied(half, f"grant {grant.id}: {why}")
    context = {**matter.context, "delegate": agent.key}
    other = law.authorizer.decide(user, matter.action, matter.pipeline, context)
    return _both(half, other, _mandate(signed, agent, user))


def _both(half: Decision, other: Decision, mandate: Mandate) -> Decision:
    grant = f"grant {mandate.grant} of {mandate.user}"
    if not half.allowed:
        return replace(half, reason=f"{half.reason}, with {grant}")
    reason = f"for {mandate.user} by {grant}, who is asked too: {other.reason}"
    if not other.allowed:
        return replace(other, reason=reason)
    return replace(
        half,
        policies=tuple(sorted({*half.policies, *other.policies})),
        errors=(*half.errors, *other.errors),
        reason=f"{half.reason}, {reason}",
        mandate=mandate,
    )


def _fault(law: Law, agent: Principal, grant: Grant, now_ms: int) -> str:
    """Why this agent cannot use the grant now, whatever it asks for."""
    user = law.principals.get(grant.user)
    if law.grants.is_revoked(grant.id):
        return "it was revoked"
    if why := grant.untimely(now_ms):
        return why
    if agent.kind != "agent" or grant.agent not in agent.every_key:
        return f"it is for the agent with the key {grant.agent}, not for {agent.name}"
    if user is None:
        return f"no principal has the key {grant.user}, by which it is signed"
    if user.kind != "user":
        return f"{user.name} is an agent, and only users can grant"
    if gone := user.fault_of(grant.user, now_ms):
        return f"the key of {user.name} by which it is signed is {gone}"
    return "" if user.active and agent.active else "user or agent is disabled"


def _mandate(signed: Signed, agent: Principal, user: Principal) -> Mandate:
    return Mandate(
        grant=signed.grant.id,
        agent=agent.key,
        user=user.name,
        key=user.key,
        expires=signed.grant.expires,
        text=signed.text,
    )


def _denied(decision: Decision, why: str) -> Decision:
    return replace(decision, allowed=False, policies=(), reason=why, mandate=None)
