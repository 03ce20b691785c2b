"""Looking at single messages of the event stream, without a consumer."""

from datetime import UTC, datetime, timedelta

from nats.js.errors import NotFoundError

from platform_nats.connection import Connection
from platform_nats.streams import EVENTS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def stored_ms(connection: Connection, sequence: int) -> int | None:
    """When the stream stored its message of that number, Unix milliseconds; None if gone."""
    try:
        message = await connection.jetstream.get_msg(EVENTS, sequence)
    except NotFoundError:
        return None
    if message.time is None:
        return None
    return (message.time - _EPOCH) // timedelta(milliseconds=1)
