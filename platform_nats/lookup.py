"""Looking at single messages of the event stream, without a consumer."""

from datetime import UTC, datetime, timedelta

import anyio
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from platform_nats.connection import Connection
from platform_nats.errors import BrokerAway
from platform_nats.streams import EVENTS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WITHIN_S = 2.0  # while a server takes a changed configuration, JetStream answers nobody
_REST_S = 0.05
_LOST = "the connection was lost"


async def stored(
    connection: Connection, sequence: int, stream: str = EVENTS
) -> RawStreamMsg | None:
    """A stream's message of that number, None if it is gone; raises BrokerAway."""
    if sequence < 1:
        return None
    deadline = anyio.current_time() + _WITHIN_S
    while True:
        try:
            return await _attempt(connection, sequence, stream)
        except NatsError as error:
            if anyio.current_time() >= deadline:
                raise BrokerAway(str(error) or type(error).__name__) from error
        await anyio.sleep(_REST_S)


async def stored_ms(connection: Connection, sequence: int) -> int | None:
    """When the stream stored its message of that number, Unix milliseconds; None if gone.

    Raises BrokerAway.
    """
    message = await stored(connection, sequence)
    return None if message is None or message.time is None else milliseconds(message)


def milliseconds(message: RawStreamMsg) -> int:
    """When the stream stored it, Unix milliseconds; 0 where it does not say."""
    return ((message.time or _EPOCH) - _EPOCH) // timedelta(milliseconds=1)


async def _attempt(connection: Connection, sequence: int, stream: str) -> RawStreamMsg | None:
    with connection.attempt():
        try:
            return await connection.jetstream.get_msg(stream, sequence)
        except NotFoundError:
            return None
    raise NatsError(_LOST)
