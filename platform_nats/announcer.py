"""Tells listeners what happens in runs. Lossy on purpose: the store has the truth."""

import json
import logging
from collections import deque
from collections.abc import Mapping
from hashlib import sha256

import anyio
import nats.errors
from anyio.lowlevel import checkpoint

from platform_nats.connection import Connection
from platform_nats.credit import Bell
from platform_nats.statement import EVENT_ID
from platform_nats.streams import STATUS_PREFIX

log = logging.getLogger(__name__)

_CAPACITY = 10_000
_TICK_S = 1.0
_REST_S = 0.05  # so that facts go out together: each packet wakes us and the broker
_BURST = 64  # publishing in a loop never yields by itself


class Announcer:
    """Queues facts for `stratum.status.<run>.<what>`; never makes the caller wait."""

    def __init__(self, connection: Connection, *, capacity: int = _CAPACITY) -> None:
        self._connection = connection
        self._waiting: deque[tuple[str, Mapping[str, object]]] = deque(maxlen=capacity)
        self._bell = Bell()
        self.dropped = 0
        """Facts that nobody will hear of, because the broker was away too long."""

    def announce(self, run: str, what: str, fact: Mapping[str, object]) -> None:
        """Queue a fact; the oldest one makes room when there is none. Returns at once."""
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append((f"{STATUS_PREFIX}.{run}.{what}", fact))
        self._bell.ring()

    async def run(self) -> None:
        """Publish what is queued, while there is a broker; until cancelled, then the rest."""
        try:
            while True:
                await self._publish_waiting()
                await anyio.sleep(_REST_S)
                await self._bell.wait(_TICK_S)
        finally:
            with anyio.move_on_after(_TICK_S, shield=True):
                await self._publish_waiting()

    async def _publish_waiting(self) -> None:
        sent = 0
        while self._waiting and self._connection.is_up:
            await self._publish(*self._waiting.popleft())
            sent += 1
            if sent % _BURST == 0:
                await checkpoint()

    async def _publish(self, subject: str, fact: Mapping[str, object]) -> None:
        body = json.dumps(fact, default=str, separators=(",", ":")).encode()
        # The same fact of the same run, told again after a crash, is one message.
        identity = sha256(subject.encode() + b"\n" + body).hexdigest()
        try:
            await self._connection.client.publish(subject, body, headers={EVENT_ID: identity})
        except nats.errors.Error as error:
            self.dropped += 1
            log.info("fact not announced", extra={"subject": subject, "why": str(error)})
