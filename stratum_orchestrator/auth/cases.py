"""Examples of decisions that a set of policies must give before it is loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from stratum_graph.definitions import plain_file
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Principal
from stratum_orchestrator.auth.entities import PipelineFacts
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_orchestrator.ports import Authorizer

FILE = "cases.json"
_MAX_FILE = 4 << 20
"""Bytes."""

_ANY_DAY = 1_767_225_600  # 2026-01-01 in epoch seconds; a case that depends on it says its own
_USUAL: Mapping[str, object] = {"now": _ANY_DAY, "signed": True}


class _Who(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A principal of the cases; its key is the name under which it stands there."""

    kind: Literal["user", "agent"] = "user"
    tenant: str = "default"
    groups: tuple[str, ...] = ()
    active: bool = True


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question and the answer that the policies must give."""

    name: str
    principal: str
    action: str
    pipeline: str
    """The empty name is the daemon itself."""
    context: Mapping[str, object] = {}
    """What differs from a signed request that is not a dry run."""
    allow: bool
    policies: tuple[str, ...]
    """Ids of the policies that decide; none when no policy permits it."""


class Cases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The people, the pipelines and the questions about them."""

    principals: Mapping[str, _Who] = {}
    pipelines: Mapping[str, PipelineFacts] = {}
    cases: tuple[Case, ...] = ()

    def faults(self, authorizer: Authorizer) -> Iterator[Diagnostic]:
        """Each case that the authorizer answers otherwise."""
        for case in self.cases:
            if message := self._fault(case, authorizer):
                yield Diagnostic(file=FILE, message=f"case `{case.name}`: {message}")

    def _fault(self, case: Case, authorizer: Authorizer) -> str | None:
        who = self.principals.get(case.principal)
        if who is None:
            return f"no principal `{case.principal}` is described in `principals`"
        principal = Principal(
            key=case.principal,
            name=case.principal,
            kind=who.kind,
            tenant=who.tenant,
            groups=who.groups,
            active=who.active,
        )
        context = {**_USUAL, **case.context}
        given = authorizer.decide(principal, case.action, case.pipeline, context)
        if (given.allowed, given.policies) == (case.allow, tuple(sorted(case.policies))):
            return None
        verb = {True: "allowed", False: "denied"}
        by = ", ".join(case.policies) or "no policy"
        wanted = f"should be {verb[case.allow]} by {by}"
        return f"{wanted}, but is {verb[given.allowed]}: {given.reason}"


def read(folder: Path) -> Cases:
    """The folder's cases; none when there is no such file; BadPolicies when it is malformed."""
    try:
        text = plain_file.read(folder / FILE, _MAX_FILE)
        return msgspec.json.decode(text, type=Cases)
    except FileNotFoundError:
        return Cases()
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise BadPolicies([Diagnostic(file=FILE, message=message)]) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadPolicies([Diagnostic(file=FILE, message=str(error))]) from error
