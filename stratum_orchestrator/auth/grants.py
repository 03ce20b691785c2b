"""The grants that a deployment keeps, and those that it has revoked."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from stratum_orchestrator.auth.errors import BadRegister, NameTaken
from stratum_orchestrator.auth.register import Register
from stratum_orchestrator.errors import BadGrant
from stratum_orchestrator.saga.grant import Signed, open_grant

FILE = "grants.json"
_GRANT = "grant, stored or revoked,"


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant that does not hold any more, whoever presents it."""

    id: str
    at: int
    """Unix milliseconds."""
    reason: str = ""


class Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant that its agent need not present."""

    id: str
    text: str
    """As the user signed it."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds."""

    grants: tuple[Stored, ...] = ()
    revoked: tuple[Revocation, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptGrants:
    """The file as the saga asks it. When it cannot be read, no grant holds."""

    register: Register[Kept]
    audience: str

    def opened(self, text: str) -> Signed:
        return open_grant(text, self.audience)

    def kept(self, agent_keys: Sequence[str]) -> Sequence[Signed]:
        return [each for each in self.all() if each.grant.agent in agent_keys]

    def all(self) -> Sequence[Signed]:
        """Those stored that are for this deployment."""
        found = []
        for each in self._read().grants:
            with suppress(BadGrant):
                found.append(open_grant(each.text, self.audience))
        return found

    def is_revoked(self, grant_id: str) -> bool:
        return any(each.id == grant_id for each in self._read().revoked)

    def _read(self) -> Kept:
        try:
            return self.register.read()
        except BadRegister as bad:
            raise BadGrant(str(bad)) from bad


def add(register: Register[Kept], signed: Signed) -> None:
    """Store a grant; NameTaken when its id is stored or revoked."""
    with register.changing() as replace:
        known = register.read()
        taken = {each.id for each in known.grants} | {each.id for each in known.revoked}
        if signed.grant.id in taken:
            raise NameTaken(_GRANT, signed.grant.id)
        stored = Stored(id=signed.grant.id, text=signed.text)
        replace(Kept(grants=(*known.grants, stored), revoked=known.revoked))


def revoke(register: Register[Kept], grant_id: str, now_ms: int, reason: str) -> None:
    """Let a grant hold no more, whether it is stored or presented."""
    with register.changing() as replace:
        known = register.read()
        if any(each.id == grant_id for each in known.revoked):
            return
        left = tuple(each for each in known.grants if each.id != grant_id)
        gone = Revocation(id=grant_id, at=now_ms, reason=reason)
        replace(Kept(grants=left, revoked=(*known.revoked, gone)))
