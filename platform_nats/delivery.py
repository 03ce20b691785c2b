"""An event as the rest of the program sees it, and what can be answered to it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message of the event stream. A redelivery has the same sequence and stored time."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    sequence: int
    stored_ms: int
    """When the stream stored it, Unix milliseconds."""
    redelivered: bool = False


class Answer(Enum):
    """What the broker is told."""

    DONE = auto()  # its verdict is on record; never deliver it again
    LATER = auto()  # not the event's fault: deliver it again
    REFUSED = auto()  # recorded as refused; end it


Handler = Callable[[Delivery], Awaitable[Answer]]
