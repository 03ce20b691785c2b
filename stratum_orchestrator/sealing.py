"""Signing an event as the principal of a token, with the key that the home keeps for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import anyio.to_thread

from platform_nats.envelope import Outgoing, seal
from platform_nats.errors import TransportError
from platform_nats.nkey import UserKey
from stratum_graph.model import Principal
from stratum_orchestrator.api.desk import Event
from stratum_orchestrator.errors import Impossible
from stratum_orchestrator.home import Home, HomeIncomplete
from stratum_orchestrator.ports import Clock

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """The keys of a home, each for its own principal."""

    home: Home
    audience: str
    clock: Clock

    async def seal(
        self, who: Principal, event: Event, event_id: str | None
    ) -> Mapping[str, str]:
        """The event's headers with the principal's signature; Impossible with the reason."""
        key = await anyio.to_thread.run_sync(_key, self.home, who)
        outgoing = Outgoing(
            subject=event.subject,
            body=event.body,
            event_id=event_id or str(uuid4()),
            time_ms=self.clock.now_ms(),
            headers=event.headers,
        )
        try:
            return seal(key, self.audience, outgoing)
        except TransportError as why:
            raise Impossible("cannot-sign", str(why), "see docs/publishing.md") from None


def _key(home: Home, who: Principal) -> UserKey:
    remedy = (
        f"make it with `stratum keys new {who.name}` and let the principal have it, or sign "
        "the event where the key is, and send it to /api/v1/events"
    )
    found: UserKey | None = None
    if _NAME.fullmatch(who.name):
        try:
            found = home.key(who.name, make=False)
        except (HomeIncomplete, TransportError, OSError):
            found = None
    if found is None or found.public != who.key:
        why = f"the daemon's home holds no key of {who.name}, and signs with nobody else's"
        raise Impossible("no-key", why, remedy)
    return found
