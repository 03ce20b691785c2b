"""A connection to the broker: refused with the real reason, or kept for ever."""

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import anyio
import nats.errors
from nats.js import JetStreamContext

from platform_nats.client import SturdyClient
from platform_nats.errors import ConnectionLost, NoServer, NotAuthorized
from platform_nats.nkey import UserKey
from platform_nats.permissions import inbox

log = logging.getLogger(__name__)

_API_S = 5.0
_CLOSE_S = 2.0
_PING_S = 2  # a silent partition shows after three of them; nats-py's default takes minutes
_PINGS = 2
_UNAUTHORIZED = ("authorization violation", "authentication expired", "authentication revoked")
_CREDENTIALS = re.compile(r"//[^/@,]*@")  # in a URL: not for messages
_DENIED = "permissions violation for publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where the broker is, and who connects."""

    url: str
    """One or more, separated by commas."""
    seed: str = field(repr=False)
    """Of the user's NKey."""
    creds_file: Path | None = None
    """Its JWT and the same seed, for a server in operator mode; read at each connection."""
    name: str = "stratum"
    """Shown in the server's list of connections."""
    first_connect_s: float = 10.0
    """How long the first connection may take."""
    reconnect_wait_s: float = 0.25
    """Between attempts, once connected."""
    tls: SSLContext | None = None


@dataclass(eq=False, slots=True)
class Attempt:
    """A request that waits for its answer."""

    scope: anyio.CancelScope
    subject: str
    is_denied: bool = False
    """The server forbids to publish under its subject."""


class Connection:
    """A connection that comes back by itself until the broker ends it for good."""

    def __init__(self, url: str, key: UserKey) -> None:
        self.client = SturdyClient()
        self.key = key
        self.closed = anyio.Event()
        """Set when it will not come back."""
        self._url = _CREDENTIALS.sub("//", url)
        self._trouble = ""
        self._is_first = True
        self._attempts: set[Attempt] = set()

    @property
    def jetstream(self) -> JetStreamContext:
        return self.client.jetstream(timeout=_API_S)

    @property
    def is_up(self) -> bool:
        """Whether it is connected as far as known: a dead server shows a moment late."""
        return self.client.is_connected

    @property
    def reconnects(self) -> int:
        """How often it came back: requests made before that are lost."""
        return self.client.stats["reconnects"]

    def refusal(self) -> NotAuthorized | None:
        """Return why it will not come back by itself, when the server has dropped our key."""
        if self.is_up or not _is_unauthorized(self._trouble):
            return None
        return NotAuthorized(self._url, self.key.public)

    def lost(self) -> ConnectionLost:
        return ConnectionLost(self._trouble or "no reason given")

    @contextmanager
    def attempt(self, subject: str = "") -> Iterator[Attempt]:
        """Cancel the block when the answer that it waits for cannot come any more.

        The server says that a subject is forbidden only beside the request, in lower case,
        and a request that got lost with the connection would wait for its time-out.
        """
        with anyio.CancelScope() as scope:
            attempt = Attempt(scope, f'"{subject.lower()}"')
            self._attempts.add(attempt)
            try:
                yield attempt
            finally:
                self._attempts.discard(attempt)

    async def open(self, settings: ConnectionSettings) -> None:
        """Connect within the first deadline; NoServer or NotAuthorized when that fails."""
        try:
            with anyio.move_on_after(settings.first_connect_s):
                await self.client.connect(
                    [url.strip() for url in settings.url.split(",")],
                    error_cb=self._on_error,
                    closed_cb=self._on_closed,
                    reconnected_cb=self._on_reconnected,
                    name=settings.name,
                    nkeys_seed_str=None if settings.creds_file else settings.seed,
                    user_credentials=settings.creds_file and str(settings.creds_file),
                    inbox_prefix=inbox(self.key.public),
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=settings.reconnect_wait_s,  # type: ignore[arg-type]
                    ping_interval=_PING_S,
                    max_outstanding_pings=_PINGS,
                    tls=settings.tls,
                )
        except (nats.errors.Error, OSError, ValueError) as error:
            self._trouble = self._trouble or str(error)
        finally:
            if not self.is_up:
                await self.close()
        if not self.is_up:
            raise NoServer(self._url, self._trouble or "no answer in time")
        self._is_first = False

    async def close(self) -> None:
        """Send what is buffered and close. Never drain: that hangs behind used pulls."""
        with anyio.move_on_after(_CLOSE_S, shield=True):
            if self.client.is_connected:
                await self.client.flush()
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self.client.close()

    async def _on_error(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self._trouble:  # once, not at every attempt
            log.warning("broker trouble", extra={"url": self._url, "why": text})
        self._trouble = text
        if _is_unauthorized(text):
            self._give_up_attempts()
            if self._is_first:  # ends nats-py's loop, which would try for ever
                raise NotAuthorized(self._url, self.key.public)
        if _DENIED in text.lower():
            self._deny(text.lower())

    def _deny(self, text: str) -> None:
        for attempt in self._attempts:
            if attempt.subject in text:
                attempt.is_denied = True
                attempt.scope.cancel()

    def _give_up_attempts(self) -> None:
        for attempt in self._attempts:
            attempt.scope.cancel()

    async def _on_closed(self) -> None:
        self.closed.set()
        self._give_up_attempts()

    async def _on_reconnected(self) -> None:
        log.info("broker is back", extra={"url": self._url})
        self._trouble = ""
        self._give_up_attempts()


def _is_unauthorized(text: str) -> bool:
    return any(each in text.lower() for each in _UNAUTHORIZED)


@asynccontextmanager
async def connect(settings: ConnectionSettings) -> AsyncIterator[Connection]:
    """Connect, keep it, close it. Raises InvalidKey, NoServer, NotAuthorized."""
    connection = Connection(settings.url, UserKey(settings.seed))
    await connection.open(settings)
    try:
        yield connection
    finally:
        await connection.close()
