"""What could not be taken back at once is tried again until it is, or has ended by itself."""

import logging
import math
from collections.abc import Mapping

import anyio

from stratum_orchestrator.errors import CredentialsDenied, CredentialsUnavailable
from stratum_orchestrator.ports import Clock, CredentialBroker
from stratum_state import moves
from stratum_state.credential import CredentialLease, CredentialStatus
from stratum_state.errors import IllegalMove, NotOurs, Rejected, Unavailable
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

_PAUSE_S = (0.5, 15.0)
"""The first pause between attempts, and the longest."""
_SLACK_MS = 2000
"""How long after its end by our clock a lease is taken to have ended by the provider's."""

Key = tuple[str, moves.Place]


class Revocations:
    """Ends leases whose processes are gone, whichever daemon asked for them."""

    def __init__(self, broker: CredentialBroker, tracker: StateTracker, clock: Clock) -> None:
        self._broker = broker
        self._tracker = tracker
        self._clock = clock
        self._in_use: set[Key] = set()
        self._waiting: dict[Key, CredentialLease] = {}
        self._ours: set[str] = set()
        """Accessors of the logins of this life."""
        self._looks = True
        self._news = anyio.Event()

    def __len__(self) -> int:
        """How many wait to be ended."""
        return len(self._waiting)

    def use(self, lease: CredentialLease) -> None:
        """A process of ours has it from now on."""
        self._in_use.add(_key(lease))
        if lease.login is not None:
            self._ours.add(lease.login)

    def leave(self, lease: CredentialLease) -> None:
        """Its process has ended."""
        self._in_use.discard(_key(lease))

    def add(self, lease: CredentialLease) -> None:
        """It could not be ended: try again."""
        self._waiting[_key(lease)] = lease
        log.warning("credential not taken back yet", extra=_place(lease))
        self._news.set()

    def look_again(self) -> None:
        """There may be more on record: what a killed daemon lent, or a lane brought along."""
        self._looks = True
        self._news.set()

    async def watch(self) -> None:
        """End what waits, until cancelled."""
        shortest, longest = _PAUSE_S
        pause = shortest
        while True:
            self._news = anyio.Event()
            await self.work()
            idle = not self._waiting and not self._looks
            with anyio.move_on_after(math.inf if idle else pause) as patience:
                await self._news.wait()
            pause = min(2 * pause, longest) if patience.cancelled_caught else shortest

    async def work(self) -> None:
        """Look at what is on record, if that is due, and try once to end what waits."""
        if self._looks:
            await self._look()
        async with anyio.create_task_group() as tasks:
            for lease in tuple(self._waiting.values()):
                tasks.start_soon(self._try, lease)

    async def _look(self) -> None:
        try:
            owed = await self._tracker.owed()
        except Unavailable:
            return
        self._looks = False
        for lease in owed:
            key = _key(lease)
            if key not in self._in_use and key not in self._waiting:
                self._waiting[key] = lease
                log.warning("credential was left behind", extra=_place(lease))

    async def _try(self, lease: CredentialLease) -> None:
        ended = await self._ended(lease)
        if ended is None:
            return
        try:
            await self._tracker.record(ended)
            log.info("credential ended", extra={**_place(lease), "status": str(ended.status)})
        except (IllegalMove, NotOurs, Rejected) as why:  # somebody else has it, or ended it
            log.debug("credential ended elsewhere", extra={**_place(lease), "why": str(why)})
        except Unavailable:
            return
        self._waiting.pop(_key(lease), None)

    async def _ended(self, lease: CredentialLease) -> CredentialLease | None:
        """The lease after its end, or None when it is not to be had yet."""
        try:
            if lease.provider != self._broker.provider:
                message = f"{lease.provider} gave it, and now there is {self._broker.provider}"
                raise CredentialsDenied(message)  # noqa: TRY301 - as if that one had said it
            return await self._taken_back(lease)
        except (CredentialsDenied, CredentialsUnavailable) as why:
            now = self._clock.now_ms()
            if now <= _end_of(lease):
                return None
            is_issued = lease.status is CredentialStatus.ISSUED
            status = CredentialStatus.EXPIRED if is_issued else CredentialStatus.VOID
            return lease.to(status, ended=now, detail=f"not taken back: {why}")

    async def _taken_back(self, lease: CredentialLease) -> CredentialLease:
        if lease.accessor is not None:
            await self._broker.revoke(lease.accessor)
            await self._end_login(lease)
            now = self._clock.now_ms()
            if now > _end_of(lease):  # whoever revokes what has ended is told that it worked
                why = "it had ended by itself before it could be taken back"
                return lease.to(CredentialStatus.EXPIRED, ended=now, detail=why)
            why = "after its process had ended"
            return lease.to(CredentialStatus.REVOKED, ended=now, detail=why)
        why = "nobody holds it, if there is one: it ends by itself"
        if await self._end_login(lease):
            why = "the login of the daemon that asked for it was ended"
        return lease.to(CredentialStatus.VOID, ended=self._clock.now_ms(), detail=why)

    async def _end_login(self, lease: CredentialLease) -> bool:
        """End the login of a daemon that is gone; False when there is none to be ended.

        With it ends what may have been granted under it, and whose accessor nobody noted.
        """
        if lease.login is None or lease.login in self._ours:
            return False
        await self._broker.revoke(lease.login)
        return True


def _end_of(lease: CredentialLease) -> int:
    """When it has surely ended by itself."""
    return (lease.expires or lease.requested + lease.lasts) + _SLACK_MS


def _key(lease: CredentialLease) -> Key:
    return lease.run, moves.place(lease)


def _place(lease: CredentialLease) -> Mapping[str, object]:
    return {
        "run": lease.run,
        "node": lease.node,
        "attempt": lease.attempt,
        "purpose": lease.purpose,
    }
