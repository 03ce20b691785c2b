"""A real nats-server with generated keys, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from platform_nats.connection import Connection, ConnectionSettings, connect
from platform_nats.nkey import UserKey
from platform_nats.permissions import User
from platform_nats.publisher import Publisher, publisher
from platform_nats.server import Running, serve
from platform_nats.streams import StreamSettings, ensure

AUDIENCE = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The running server and who may connect to it."""

    running: Running
    daemon: UserKey
    """May do everything."""
    publisher: UserKey
    """May publish under `events.>`."""
    other: UserKey
    """May publish under `events.other.>`."""

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def users(self) -> tuple[User, ...]:
        return (
            User.daemon(self.daemon.public),
            User.publisher(self.publisher.public, ("events.>",)),
            User.publisher(self.other.public, ("events.other.>",)),
        )

    @asynccontextmanager
    async def connect(self, key: UserKey | None = None) -> AsyncIterator[Connection]:
        """Connect, as the daemon unless told otherwise."""
        seed = (key or self.daemon).seed()
        async with connect(ConnectionSettings(url=self.url, seed=seed)) as connection:
            yield connection

    @asynccontextmanager
    async def publish_as(self, key: UserKey | None = None) -> AsyncIterator[Publisher]:
        """Publish for the test audience, as the publisher unless told otherwise."""
        seed = (key or self.publisher).seed()
        async with publisher(self.url, seed, AUDIENCE) as ours:
            yield ours


@asynccontextmanager
async def run_broker(folder: Path, *, streams: bool = True) -> AsyncIterator[Broker]:
    """Start a server with its data below the folder, with the streams unless told otherwise."""
    daemon, first, second = UserKey.generate(), UserKey.generate(), UserKey.generate()
    async with serve(folder, [User.daemon(daemon.public)]) as running:
        broker = Broker(running=running, daemon=daemon, publisher=first, other=second)
        await running.reload(broker.users)
        if streams:
            async with broker.connect() as connection:
                await ensure(connection.jetstream, StreamSettings())
        yield broker
