"""What JetStream is told about a delivered message, in its own words."""

import logging

import nats.errors
from nats.aio.msg import Msg

from platform_nats.connection import Connection
from platform_nats.delivery import Answer
from platform_nats.position import position

log = logging.getLogger(__name__)

IN_PROGRESS = b"+WPI"
_CONFIRM_S = 5.0  # the 1 s of nats-py is too short in an fsync storm
_LATER_MAX_S = 10.0
_DOUBLINGS = 6  # from a quarter of a second to beyond the longest


def later(delay_s: float) -> bytes:
    """Return the request for another delivery after the seconds."""
    return b'-NAK {"delay": %d}' % int(delay_s * 1e9)


async def tell(connection: Connection, message: Msg, word: bytes) -> None:
    """Send without waiting for the broker, which needs to know but need not confirm."""
    try:
        await connection.client.publish(message.reply, word)
    except nats.errors.Error as error:
        log.info("broker not told", extra={"word": word[:4].decode(), "why": str(error)})


async def settle(connection: Connection, message: Msg, answer: Answer) -> None:
    """Give the final answer. One that gets lost means one more delivery, never a lost event."""
    at = position(message.reply)
    match answer:
        case Answer.DONE:
            await _confirmed(connection, message, b"+ACK")
        case Answer.REFUSED:
            word = b"+TERM refused, see the verdict of sequence %d" % at.sequence
            await _confirmed(connection, message, word)
        case Answer.LATER:
            delay_s = 2.0 ** min(at.deliveries, _DOUBLINGS) / 4
            await tell(connection, message, later(min(delay_s, _LATER_MAX_S)))


async def _confirmed(connection: Connection, message: Msg, word: bytes) -> None:
    try:
        with connection.attempt():
            await connection.client.request(message.reply, word, timeout=_CONFIRM_S)
            return
    except nats.errors.Error as error:
        facts = {"reply": message.reply, "why": str(error)}
        log.warning("answer not confirmed", extra=facts)
        return
    # The connection was lost and is back. A server that started again may not know the delivery
    # any more, and then says nothing: tell it, and let it deliver once more if it must.
    await tell(connection, message, word)
