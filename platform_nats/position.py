"""What the reply subject of a JetStream message says about its delivery."""

from dataclasses import dataclass

from nats.aio.msg import Msg

from platform_nats.delivery import Delivery

_SHORT = 9  # tokens; longer forms have the domain and the account's hash in front
_NANO_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """Which delivery of which message. The stored time is exact, not rounded as by nats-py."""

    deliveries: int
    sequence: int
    stored_ms: int


def position(reply: str) -> Position:
    """Read `$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.….time.…`."""
    tokens = reply.split(".")
    first = 4 if len(tokens) == _SHORT else 6
    return Position(
        deliveries=int(tokens[first]),
        sequence=int(tokens[first + 1]),
        stored_ms=int(tokens[first + 3]) // _NANO_PER_MS,
    )


def delivery(message: Msg) -> Delivery:
    """Turn a message of the stream into what a handler gets."""
    at = position(message.reply)
    return Delivery(
        subject=message.subject,
        body=message.data,
        headers=message.headers or {},
        sequence=at.sequence,
        stored_ms=at.stored_ms,
        redelivered=at.deliveries > 1,
    )
