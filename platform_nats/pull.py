"""Continuous pulling from a durable consumer, which nats-py does not have.

One inbox subscription; at most one request outstanding, so that what it still may bring is
known exactly; idle heartbeats show a request that got lost. Protocol: JetStream's
`CONSUMER.MSG.NEXT`, ADR-13.
"""

import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from platform_nats.answer import later, tell
from platform_nats.connection import Connection
from platform_nats.credit import Bell

log = logging.getLogger(__name__)

_EXPIRES_S = 30.0
_HEARTBEAT_S = 5.0
_SILENT_S = 2 * _HEARTBEAT_S + 0.5
_REST_S = 0.5  # after a refusal, so that it is not asked for in a tight loop
_CLOSE_S = 2.0
_NANO = 1_000_000_000
_JETSTREAM_ACK = "$JS.ACK."
_HEARTBEAT, _NO_MESSAGES, _TIMED_OUT = "100", "404", "408"


class Arrival(NamedTuple):
    """An event that nobody has taken yet."""

    message: Msg
    at_s: float
    """On the clock of the event loop."""


class Pull:
    """What was asked of a consumer and what came of it."""

    def __init__(self, connection: Connection, stream: str, durable: str, bell: Bell) -> None:
        self.arrived: deque[Arrival] = deque()
        self.is_gone = False
        """The consumer was deleted."""
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._bell = bell
        self._inbox = connection.client.new_inbox()
        self._number = 0
        self._outstanding = 0
        self._heard = 0.0
        self._reconnects = 0
        self._rest_until = 0.0
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        self._subscription = await self._connection.client.subscribe(
            f"{self._inbox}.*", cb=self._on_message
        )

    async def close(self) -> None:
        """Ask for nothing more, and give back what is on its way and what nobody took."""
        self._outstanding = 0
        with anyio.move_on_after(_CLOSE_S, shield=True):
            try:
                if self._subscription is not None:
                    await self._subscription.drain()  # type: ignore[no-untyped-call]
            except nats.errors.Error as error:
                log.info("subscription not drained", extra={"why": str(error)})
            await self.give_back(0.0)

    async def give_back(self, delay_s: float, *, after_s: float = 0.0) -> None:
        """Let other instances have what arrived so long ago and was not taken."""
        while self.arrived and anyio.current_time() - self.arrived[0].at_s >= after_s:
            await tell(self._connection, self.arrived.popleft().message, later(delay_s))

    async def ask(self, count: int) -> None:
        """Request up to `count` events, unless an earlier request may still bring some."""
        if self._is_pending() or anyio.current_time() < self._rest_until:
            return
        self._number += 1
        self._outstanding = count
        self._heard = anyio.current_time()
        self._reconnects = self._connection.reconnects
        request = {
            "batch": count,
            "expires": int(_EXPIRES_S * _NANO),
            "idle_heartbeat": int(_HEARTBEAT_S * _NANO),
        }
        await self._connection.client.publish(
            self._subject, json.dumps(request).encode(), f"{self._inbox}.{self._number}"
        )

    def _is_pending(self) -> bool:
        if not self._outstanding:
            return False
        is_lost = (
            self._reconnects != self._connection.reconnects
            or anyio.current_time() - self._heard > _SILENT_S
        )
        return not is_lost

    async def _on_message(self, message: Msg) -> None:
        # Only the reply tells an event from a status: publishers may send a `Status` header.
        if message.reply.startswith(_JETSTREAM_ACK):
            self._heard = anyio.current_time()
            self._outstanding = max(0, self._outstanding - 1)
            self.arrived.append(Arrival(message, self._heard))
        elif message.subject == f"{self._inbox}.{self._number}":
            self._on_status(message.headers or {})
        self._bell.ring()

    def _on_status(self, headers: dict[str, str]) -> None:
        self._heard = anyio.current_time()
        status, why = headers.get("Status"), headers.get("Description", "")
        if status == _HEARTBEAT:
            return
        self._outstanding = 0
        if status in {_NO_MESSAGES, _TIMED_OUT}:
            return
        self._rest_until = anyio.current_time() + _REST_S
        self.is_gone = "consumer deleted" in why.lower()
        log.warning("pull ended by the broker", extra={"status": status, "why": why})


@asynccontextmanager
async def pull(
    connection: Connection, stream: str, durable: str, bell: Bell
) -> AsyncIterator[Pull]:
    """Subscribe for the events of a durable consumer; `bell` rings whenever something came."""
    pulling = Pull(connection, stream, durable, bell)
    await pulling.open()
    try:
        yield pulling
    finally:
        await pulling.close()
