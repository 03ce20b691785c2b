"""Who asks, and what the daemon's reception says of them."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from stratum_graph.model import Principal
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker
from stratum_state.model import PipelineRun, VerdictRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The principal of a request's token, and the grant that came with it."""

    principal: Principal
    token: str
    """The token's name."""
    digest: str = field(repr=False)
    """Of the token's text."""
    grant: str = ""

    @property
    def asker(self) -> Asker:
        return Asker(principal=self.principal, grant=self.grant)


class Stranger(Exception):
    """Nobody is to be let in with that token."""

    def __init__(self, code: str, why: str, remedy: str) -> None:
        super().__init__(why)
        self.code = code
        self.remedy = remedy


def no_token() -> Stranger:
    """The token is none of ours."""
    return Stranger(
        "no-token",
        "a valid bearer token is required",
        "send 'Authorization: Bearer …' with a token of `stratum tokens add`, or with the "
        "content of the home's run/token",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether somebody may do something, asked by somebody else."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str]
    grant: str = ""


class Unanswerable(Exception):
    """A question about somebody or something unknown."""


class Reception(Protocol):
    """Knows the tokens, and asks the policies."""

    def receive(self, digest: str, grant: str) -> Visitor:
        """Whose token has that hash; else Stranger."""
        ...

    def ask(
        self,
        visitor: Visitor,
        action: str,
        pipeline: str,
        about: Mapping[str, str],
        run: str | None = "",
    ) -> Decision:
        """Whether the visitor may, as things are now: a token may have ended meanwhile.

        What is decided is logged there and goes on record, but for what nobody named: then
        `run` is None.
        """
        ...

    async def settle(self) -> None:
        """Return when what was decided is on record, or that takes too long."""
        ...

    def explain(self, asked: Question) -> Mapping[str, object]:
        """Who says what to that; Unanswerable."""
        ...

    def is_welcome(self, visitor: Visitor) -> bool:
        """Whether the token still is that visitor's."""
        ...

    def about(self, fact: PipelineRun | VerdictRecord) -> Mapping[str, str]:
        """What policies are told of it."""
        ...


WANTED: ContextVar[str] = ContextVar("wanted", default="")
"""What the request in hand wants done about a run; empty for anything else."""
VISITOR: ContextVar[Visitor | None] = ContextVar("visitor", default=None)
"""Of the request in hand: whatever a handler reads or has done, it does as this one."""


def visitor() -> Visitor:
    """Who asks. The guard has let nobody unknown through to where this is needed."""
    found = VISITOR.get()
    if found is None:
        raise no_token()
    return found


def denied(visitor: Visitor, action: str, decision: Decision) -> Problem:
    """The answer to who may not."""
    return Problem(
        HTTPStatus.FORBIDDEN,
        "denied",
        f"{visitor.principal.name} may not {action} the daemon: {decision.reason}",
        "ask whoever owns the policies; `stratum authz explain` says what they would allow",
    )
