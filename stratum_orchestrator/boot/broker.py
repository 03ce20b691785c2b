"""The step `nats`: the bundled server or a given one, the streams, and who may publish."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from platform_nats import server, streams
from platform_nats.announcer import Announcer
from platform_nats.connection import Connection, ConnectionSettings, connect
from platform_nats.permissions import User
from platform_nats.reach import Reach
from platform_nats.server_config import ServerSettings
from stratum_graph.model import Principal
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.ports import Clock
from stratum_orchestrator.telling import announcing

_ONE_ATTEMPT_S = 3.0
_SPARE = 512 << 20
_FORBIDDEN_S = 30 * 86_400.0  # at least, that an unshortened stream keeps an event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The connection, and the server if it is ours."""

    connection: Connection
    reach: Reach
    """Of the event stream."""
    users: server.Running | None
    url: str
    subjects: tuple[str, ...]
    clock: Clock

    async def let_in(self, principals: Mapping[str, Principal]) -> None:
        """Tell the server that we run who may publish."""
        await self.admit(self.users_of(principals))

    def users_of(self, principals: Mapping[str, Principal]) -> tuple[User, ...]:
        """The daemon, and each key by which somebody may publish now."""
        daemon, now = User.daemon(self.connection.key.public), self.clock.now_ms()
        publishers = [
            User.publisher(key, each.subjects or self.subjects)
            for key, each in principals.items()
            if each.active and key != daemon.public and not each.fault_of(key, now)
        ]
        return (daemon, *publishers)

    async def admit(self, users: Sequence[User]) -> None:
        """Let in these; the connections of others end. Only the server that we run obeys."""
        if self.users is not None:
            await self.users.reload(users)

    def state(self) -> tuple[bool, str]:
        """Whether the broker is there and can work, and what is wrong otherwise."""
        trouble = self.users.trouble if self.users else ""
        return self.connection.is_up and not trouble, trouble or self.url


async def connect_broker(frame: Frame) -> Broker:
    """Start the bundled server unless there is another, connect, and make the streams."""
    nats = frame.settings.nats
    users, url = None, nats.url
    if not url:
        room = streams.reserved(nats.stream_size) + _SPARE
        where = ServerSettings(port=nats.port or -1, disk_bytes=room)
        starting = server.serve(frame.home.broker, [User.daemon(frame.key.public)], where)
        users = await frame.stack.enter_async_context(starting)
        await frame.beside(users.watch)
        await frame.beside(users.examine)
        url = users.url
    patience_s = max(frame.settings.instance.patience, _ONE_ATTEMPT_S)
    who = ConnectionSettings(
        url=url,
        seed=frame.key.seed(),
        creds_file=frame.home.project / nats.creds_file if nats.creds_file else None,
        name=f"stratum/{frame.settings.instance.name}",
        first_connect_s=patience_s,
    )
    connection = await frame.stack.enter_async_context(connect(who))
    layout = await streams.ensure(connection.jetstream, _streams(frame), within_s=patience_s)
    for each in layout.obstacles:
        log.warning("stream differs from the settings", extra={"why": each})
    announcer = Announcer(connection)
    await frame.beside(announcer.run)
    frame.ears.listeners.append(announcing(announcer.announce))
    frame.points.passed("broker.connected")
    broker = Broker(
        connection=connection,
        reach=Reach(connection),
        users=users,
        url=url,
        subjects=nats.subjects,
        clock=frame.clock,
    )
    frame.health.watch("nats", broker.state)

    def obstacles() -> str:
        return "; ".join(each for each in (*layout.obstacles, broker.reach.obstacle) if each)

    frame.health.watch("streams", lambda: (True, obstacles()), lambda: bool(obstacles()))
    return broker


def _streams(frame: Frame) -> streams.StreamSettings:
    nats = frame.settings.nats
    return streams.StreamSettings(
        subjects=nats.subjects,
        replicas=nats.replicas,
        duplicate_window_s=nats.duplicate_window,
        message_bytes=nats.event_size,
        events_bytes=nats.stream_size,
        events_age_s=max(_FORBIDDEN_S, frame.settings.retention.age),
        ack_wait_s=nats.ack_wait,
    )
