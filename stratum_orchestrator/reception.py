"""The daemon's reception: whose a token is, and what the policies say of who holds it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest

from stratum_graph.model import Principal
from stratum_orchestrator.api.visitor import (
    WANTED,
    Question,
    Stranger,
    Unanswerable,
    Visitor,
    no_token,
)
from stratum_orchestrator.auth.cedar import CedarAuthorizer
from stratum_orchestrator.auth.errors import AuthError, BadRegister
from stratum_orchestrator.auth.explanation import (
    context_of,
    explain,
    pipeline_named,
    principal_named,
)
from stratum_orchestrator.auth.register import Register
from stratum_orchestrator.auth.tokens import Token, Tokens
from stratum_orchestrator.home import HOMES_OWN
from stratum_orchestrator.ports import Clock, Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, about, decide
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_state.model import PipelineRun, VerdictRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Receptionist:
    """Asks the register of tokens and the rules in force, each time."""

    home_digest: str
    """Of the token in the home folder: who can read it is the operator."""
    operator: Principal
    tokens: Register[Tokens]
    rules: Callable[[], Rules]
    rulings: Rulings
    clock: Clock

    def receive(self, digest: str, grant: str) -> Visitor:
        if compare_digest(digest, self.home_digest):
            return Visitor(principal=self.operator, token=HOMES_OWN, digest=digest, grant=grant)
        token = self._token(digest)
        principal = named(self.rules().principals, token.principal)
        if principal is None:
            raise Stranger(
                "no-principal",
                f"token `{token.name}` is for {token.principal}, who is no principal",
                "add the principal again, or revoke the token: stratum tokens revoke NAME",
            )
        return Visitor(principal=principal, token=token.name, digest=digest, grant=grant)

    def ask(
        self,
        visitor: Visitor,
        action: str,
        pipeline: str,
        about: Mapping[str, str],
        run: str | None = "",
    ) -> Decision:
        rules = self.rules()
        try:
            asker = self.receive(visitor.digest, visitor.grant).asker
        except Stranger as gone:
            return _nobody(str(gone))
        now = self.clock.now_ms()
        matter = Matter(action=action, pipeline=pipeline, now_ms=now, about=about)
        decision = decide(rules, asker, matter)
        self._note(asker, matter, decision, run)
        return decision

    def _note(self, asker: Asker, matter: Matter, decision: Decision, run: str | None) -> None:
        """Note it; what somebody wants done about a run that is not shown counts as denied."""
        wanted = WANTED.get() if run and matter.action == "view" else ""
        if wanted and not decision.allowed:
            matter = replace(matter, action=wanted)
            decision = replace(decision, reason=f"may not view it: {decision.reason}")
        self.rulings.note(asker, matter, decision, run=run)

    async def settle(self) -> None:
        await self.rulings.settle()

    def is_welcome(self, visitor: Visitor) -> bool:
        try:
            return self.receive(visitor.digest, visitor.grant).principal.active
        except Stranger:
            return False

    def about(self, fact: PipelineRun | VerdictRecord) -> Mapping[str, str]:
        principals = self.rules().principals
        if isinstance(fact, PipelineRun):
            return about(fact, principals)
        owner = principals.get(fact.publisher)
        told = {"subject": fact.subject, "publisher": owner.key if owner else fact.publisher}
        return {name: value for name, value in told.items() if value}

    def explain(self, asked: Question) -> Mapping[str, object]:
        """Why somebody may or may not, as things are now."""
        try:
            return self._explained(asked)
        except AuthError as error:
            raise Unanswerable(str(error)) from None

    def _explained(self, asked: Question) -> Mapping[str, object]:
        rules = self.rules()
        people = dict(rules.principals) | {self.operator.key: self.operator}
        law = replace(rules, principals=people)
        asker = Asker(principal=principal_named(asked.principal, people), grant=asked.grant)
        matter = Matter(
            action=asked.action,
            pipeline=pipeline_named(asked.resource),
            now_ms=self.clock.now_ms(),
            about=context_of(asked.context, people),
        )
        if not isinstance(rules.authorizer, CedarAuthorizer):
            return {}
        return explain(law, rules.authorizer, asker, matter).view()

    def _token(self, digest: str) -> Token:
        try:
            token = self.tokens.read().of(digest)
        except BadRegister as bad:
            log.error("tokens cannot be read", extra={"why": str(bad)})  # noqa: TRY400
            raise Stranger("no-tokens", str(bad), "mend the file of tokens") from None
        if token is None:
            raise no_token()
        if token.is_over(self.clock.now_ms()):
            raise Stranger(
                "token-expired",
                f"token `{token.name}` has expired",
                "make another one: stratum tokens add NAME --principal PRINCIPAL",
            )
        return token


def named(principals: Mapping[str, Principal], name: str) -> Principal | None:
    """The principal of that name."""
    return next((each for each in principals.values() if each.name == name), None)


def _nobody(why: str) -> Decision:
    return Decision(allowed=False, policies=(), errors=(), policy_set="", reason=why)
