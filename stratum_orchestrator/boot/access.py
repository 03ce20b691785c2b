"""Who has access, followed while the daemon runs: changed by commands, ended by time."""

import logging
from collections.abc import Mapping

import anyio

from platform_nats.errors import TransportError
from platform_nats.permissions import User
from stratum_graph.model import Principal
from stratum_orchestrator import knowledge
from stratum_orchestrator.auth.errors import BadRegister
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.workshop import Workshop
from stratum_orchestrator.knowledge import Sources

log = logging.getLogger(__name__)

_TICK_S = 0.5


class Followed:
    """The principals in force, and the users of the server that we run, as they should be."""

    def __init__(
        self, frame: Frame, broker: Broker, in_force: InForce, workshop: Workshop
    ) -> None:
        self._register = frame.access.principals
        self._key = frame.key.public
        self._broker, self._in_force, self._content = broker, in_force, workshop.content
        self._seen = self._register.state()
        self._rules = in_force.rules
        self._is_unread = False
        """Whether nobody could tell at the last look what the register says."""
        self._users: tuple[User, ...] = ()
        self.trouble = ""
        """Why changes are not in force."""
        self.outside = ""
        """Why the server does not know of them yet."""

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await self._look()
            await anyio.sleep(_TICK_S)

    async def _look(self) -> None:
        try:
            seen = self._register.state()
            # rules that were drafted before a change may be put in force after it
            drafted = self._in_force.rules is not self._rules
            if seen != self._seen or drafted or self._is_unread:
                await self._take()
                self._seen, self._rules = seen, self._in_force.rules
            self._is_unread = False
        except BadRegister as bad:
            self._is_unread = True
            self._complain(str(bad))
        users = self._broker.users_of(self._in_force.rules.principals)
        if users != self._users:
            await self._admit(users)

    async def _admit(self, users: tuple[User, ...]) -> None:
        """Tell the server; one that does not take it now is told again at the next look."""
        try:
            await self._broker.admit(users)
        except TransportError as late:
            if not self.outside:
                log.warning("server does not let in whom it should", extra={"why": str(late)})
            self.outside = str(late)
        else:
            self._users, self.outside = users, ""

    async def _take(self) -> None:
        """With all else that has changed; or, if that cannot be in force, alone."""
        outcome = await self._in_force.reloader.reload("access changed")
        if outcome.why:
            await self._in_force.reloader.take_principals(self._alone)
        else:
            self.trouble = ""

    async def _alone(self, sources: Sources) -> Mapping[str, Principal] | None:
        named, problems = await knowledge.load_principals(sources, self._content)
        errors = [each for each in problems if each.severity == "error"]
        if errors:
            self._complain("; ".join(map(str, errors)))
            return None
        self.trouble = ""
        log.info("principals changed", extra={"count": len({x.name for x in named.values()})})
        return knowledge.with_daemon(named, self._key)

    def _complain(self, why: str) -> None:
        if why != self.trouble:
            log.error("change of principals not taken", extra={"why": why})
        self.trouble = why


async def follow_access(
    frame: Frame, broker: Broker, in_force: InForce, workshop: Workshop
) -> None:
    """Keep it up to date until the daemon ends."""
    followed = Followed(frame, broker, in_force, workshop)
    await frame.beside(followed.watch)
    frame.health.watch(
        "principals",
        lambda: (True, _state(followed)),
        lambda: bool(_state(followed)),
    )


def _state(followed: Followed) -> str:
    """What is wrong; empty when nothing is."""
    if followed.trouble:
        return f"the former ones stay in force: {followed.trouble}"
    return followed.outside
