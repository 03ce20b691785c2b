"""A grant: with it a user lets an agent act on their behalf, for a time and within a scope.

Its text is `PAYLOAD.SIGNATURE`, both base64url without padding: JSON, and the user's ed25519
signature over `stratum-grant-v1`, a line feed and that JSON. docs/authorization.md has more.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Protocol

import msgspec

from platform_nats.nkey import UserKey, verify
from stratum_graph.subjects import covers
from stratum_orchestrator.errors import BadGrant

HEADER = "Stratum-Grant"
"""Of an event or of a request. In an event it is covered by the agent's signature."""
VERSION = "stratum-grant-v1"
MAX_TEXT = 8192
MAX_LIFE_MS = 30 * 86_400_000
ANY = "*"
_CACHED = 1024


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user signs."""

    v: Literal[1] = 1
    id: str
    audience: str
    """The deployment that it is for."""
    user: str
    """Public key of who signs."""
    agent: str
    """Public key of who may use it."""
    actions: tuple[str, ...]
    pipelines: tuple[str, ...]
    """By name; `*` is any, and the daemon itself."""
    subjects: tuple[str, ...]
    """Patterns as in triggers; of events, or of the events that started the runs."""
    not_before: int
    """Unix milliseconds."""
    expires: int
    """Unix milliseconds."""

    def outside(self, action: str, pipeline: str, subject: str) -> str:
        """Why that is not within the scope; empty when it is."""
        if action not in self.actions:
            return f"it does not cover {action}, only {', '.join(self.actions)}"
        if ANY not in self.pipelines and pipeline not in self.pipelines:
            what = pipeline or "the daemon"
            return f"it does not cover {what}, only {', '.join(self.pipelines)}"
        if subject and not any(covers(each, subject) for each in self.subjects):
            return f"it does not cover {subject}, only {', '.join(self.subjects)}"
        return ""

    def untimely(self, now_ms: int) -> str:
        """Why it does not hold at that time; empty when it does."""
        if now_ms < self.not_before:
            return f"it is not valid before {_when(self.not_before)}"
        return f"it expired at {_when(self.expires)}" if now_ms >= self.expires else ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A grant whose signature fits, and its text."""

    grant: Grant
    text: str


class Grants(Protocol):
    """What a deployment knows of grants. Each raises BadGrant when it cannot tell."""

    def opened(self, text: str) -> Signed:
        """The grant of that text, for this deployment."""
        ...

    def kept(self, agent_keys: Sequence[str]) -> Sequence[Signed]:
        """Those that were stored here for one of the keys."""
        ...

    def is_revoked(self, grant_id: str) -> bool: ...


class NoGrants:
    """Nothing is known of grants, revocations included: so none holds."""

    def opened(self, text: str) -> Signed:
        del text
        why = "this daemon takes no grants"
        raise BadGrant(why)

    def kept(self, agent_keys: Sequence[str]) -> Sequence[Signed]:
        del agent_keys
        return ()

    def is_revoked(self, grant_id: str) -> bool:
        del grant_id
        return True


def sign(grant: Grant, key: UserKey) -> str:
    """The grant's text. The key is that of `grant.user`."""
    payload = msgspec.json.encode(grant)
    return f"{_encoded(payload)}.{_encoded(key.sign(_message(payload)))}"


@lru_cache(_CACHED)
def open_grant(text: str, audience: str) -> Signed:
    """Check form, signature, audience and length of life; BadGrant says what is wrong."""
    if len(text) > MAX_TEXT:
        why = f"it is longer than {MAX_TEXT} characters"
        raise BadGrant(why)
    try:
        said, _, sealed = text.partition(".")
        payload, signature = _decoded(said), _decoded(sealed)
        grant = msgspec.json.decode(payload, type=Grant)
    except (ValueError, binascii.Error) as error:
        why = f"it cannot be read: {error}"
        raise BadGrant(why) from None
    if not verify(grant.user, _message(payload), signature):
        why = f"its signature is not that of {grant.user}"
        raise BadGrant(why)
    if grant.audience != audience:
        why = f"it is for {grant.audience!r}, this is {audience!r}"
        raise BadGrant(why)
    if grant.expires - grant.not_before > MAX_LIFE_MS:
        why = "it is to last longer than 30 days"
        raise BadGrant(why)
    return Signed(grant, text)


def _message(payload: bytes) -> bytes:
    return VERSION.encode() + b"\n" + payload


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _when(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return moment.isoformat().replace("+00:00", "Z")
