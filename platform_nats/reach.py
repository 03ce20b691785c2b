"""How far back the event stream reaches: what was judged, and is old or in the way, goes.

The stream itself lets go of nothing by age: an event that nobody has judged waits in it for as
long as that takes.
"""

import logging

from nats.errors import Error as NatsError
from nats.js.api import StreamInfo
from nats.js.errors import APIError

from platform_nats.connection import Connection
from platform_nats.errors import BrokerAway
from platform_nats.lookup import stored_ms
from platform_nats.streams import EVENTS, INTAKE

log = logging.getLogger(__name__)

_CROWDED = 3 / 4
"""So full a stream makes room, also by what is not old."""
_ROOMY = 1 / 2
"""What it has left in use then."""
_PURGE = f"$JS.API.STREAM.PURGE.{EVENTS}"
_FORBIDDEN = (
    f"{EVENTS} forbids to be purged, as that of earlier versions did: it keeps events by age "
    "alone; when all have a verdict, stop the daemons, delete the stream and start them again"
)
_LOST = "the connection was lost"
_DENIED = f"{EVENTS} is never shortened: allow the daemon's key to publish under {_PURGE}"


class Reach:
    """Shortens the stream from its old end, up to the first event that has no verdict."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.obstacle = ""
        """Why the stream cannot be shortened."""

    async def shorten(self, before_ms: int) -> int:
        """Let go of what was stored before a time (Unix milliseconds), and was judged.

        Of a stream that is nearly full the oldest judged events go whatever their age, so that
        it need not refuse new ones. How many events went. Raises BrokerAway.
        """
        jetstream = self._connection.jetstream
        try:
            stream = await jetstream.stream_info(EVENTS)
            if not self._may(stream) or not stream.state.messages:
                return 0
            floor = (await jetstream.consumer_info(EVENTS, INTAKE)).ack_floor
            judged = (floor.stream_seq if floor else 0) or 0
            beyond = min(judged + 1, await self._beyond(stream, judged, before_ms))
            if beyond <= stream.state.first_seq:
                return 0
            await self._purge(beyond)
        except NatsError as error:
            raise BrokerAway(str(error) or type(error).__name__) from error
        return 0 if self.obstacle else beyond - stream.state.first_seq

    def _may(self, stream: StreamInfo) -> bool:
        if stream.config.deny_purge:
            self.obstacle = _FORBIDDEN
        return not stream.config.deny_purge

    async def _beyond(self, stream: StreamInfo, judged: int, before_ms: int) -> int:
        """The number of the first event that is to stay."""
        state, room = stream.state, stream.config.max_bytes or -1
        beyond = await self._since(state.first_seq, min(judged, state.last_seq) + 1, before_ms)
        if 0 < room * _CROWDED < state.bytes:
            surplus = state.messages * (1 - room * _ROOMY / state.bytes)
            beyond = max(beyond, state.first_seq + round(surplus))
        return beyond

    async def _since(self, low: int, high: int, before_ms: int) -> int:
        """The first number from `low` of an event stored at the time or later, or `high`."""
        at = low  # first, since mostly nothing is old
        while low < high:
            stored = await stored_ms(self._connection, at)
            if stored is None or stored < before_ms:
                low = at + 1
            else:
                high = at
            at = (low + high) // 2
        return low

    async def _purge(self, beyond: int) -> None:
        self.obstacle = ""
        with self._connection.attempt(_PURGE) as attempt:
            try:
                await self._connection.jetstream.purge_stream(EVENTS, seq=beyond)
            except APIError as refused:
                self.obstacle = f"{EVENTS} is not shortened: {refused.description}"
            return
        if not attempt.is_denied:
            raise NatsError(_LOST)
        self.obstacle = _DENIED
