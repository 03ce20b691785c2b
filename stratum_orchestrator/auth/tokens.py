"""API tokens: each acts as one principal. Only their hashes are kept."""

import secrets

import msgspec

from stratum_orchestrator.auth.errors import NameTaken, UnknownName
from stratum_orchestrator.auth.register import Register
from stratum_orchestrator.home import HOMES_OWN, token_digest

FILE = "tokens.json"
PREFIX = "stratum_"
"""By which scanners recognize a token that has leaked."""
_BYTES = 32


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a token."""

    name: str
    principal: str
    """By name."""
    sha256: str
    """64 hex digits of the token's text."""
    created: int
    """Unix milliseconds."""
    expires: int | None = None
    """Unix milliseconds; None means when it is revoked."""

    def is_over(self, now_ms: int) -> bool:
        return self.expires is not None and now_ms >= self.expires


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that were made and not revoked."""

    tokens: tuple[Token, ...] = ()

    def of(self, digest: str) -> Token | None:
        """The token whose text has this hash."""
        return next((each for each in self.tokens if each.sha256 == digest), None)


def add(
    kept: Register[Tokens], name: str, principal: str, now_ms: int, lives_s: float | None
) -> tuple[Token, str]:
    """Keep a fresh token; the record, and the text that is told only now. NameTaken."""
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    made = Token(
        name=name,
        principal=principal,
        sha256=token_digest(text),
        created=now_ms,
        expires=None if lives_s is None else now_ms + round(lives_s * 1000),
    )
    with kept.changing() as replace:
        known = kept.read().tokens
        if name == HOMES_OWN or any(each.name == name for each in known):
            raise NameTaken("token", name)
        replace(Tokens(tokens=(*known, made)))
    return made, text


def revoke(kept: Register[Tokens], name: str) -> Token:
    """Forget the token: who presents it is nobody from now on. UnknownName."""
    with kept.changing() as replace:
        known = kept.read().tokens
        gone = next((each for each in known if each.name == name), None)
        if gone is None:
            raise UnknownName("token", name, [each.name for each in known])
        replace(Tokens(tokens=tuple(each for each in known if each is not gone)))
    return gone
