"""Events for a daemon that may die at any moment: each is published until it is stored."""

from dataclasses import dataclass, field
from uuid import uuid4

import anyio

from platform_nats import errors
from platform_nats.connection import ConnectionSettings, connect
from platform_nats.nkey import UserKey
from platform_nats.publisher import Publisher, Receipt
from stratum_orchestrator.audit.observed import Published
from stratum_orchestrator.cli.chaos.lives import Household
from stratum_orchestrator.client.answers import Address
from stratum_orchestrator.home import DEVELOPER, Home

ELSEWHERE = "elsewhere"
"""A deployment that is not this one: what is signed for it is not well signed here."""
_REST_S = 0.05
_CONNECT_S = 2.0
_STORE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is to be published."""

    subject: str
    data: bytes
    event_id: str = field(default_factory=lambda: str(uuid4()))
    well_signed: bool = True


class Load:
    """Publishes as the home's developer, and keeps what was acknowledged."""

    def __init__(self, household: Household) -> None:
        self.published: list[Published] = []
        self.doubled = 0
        """Events that were published again and were not stored again."""
        self._household = household
        self._home = Home(household.home)

    async def publish(self, event: Event) -> None:
        """Return when the event is stored, however many daemons that takes."""
        while True:
            address = self._household.address
            if address is None:
                await anyio.sleep(_REST_S)
                continue
            key = self._home.key(DEVELOPER, make=False)
            try:
                receipt = await _stored(event, address, key)
            except errors.DuplicateId:  # a doubled one, or one whose acknowledgment got lost
                self.doubled += 1
                return
            except errors.TransportError:
                await anyio.sleep(_REST_S)
                continue
            self._take(event, key.public, receipt)
            return

    def _take(self, event: Event, publisher: str, receipt: Receipt) -> None:
        self.published.append(
            Published(
                sequence=receipt.sequence,
                publisher=publisher,
                event_id=event.event_id,
                subject=event.subject,
                well_signed=event.well_signed,
            )
        )


async def _stored(event: Event, address: Address, key: UserKey) -> Receipt:
    where = ConnectionSettings(
        url=address.nats, seed=key.seed(), name="chaos", first_connect_s=_CONNECT_S
    )
    audience = address.audience if event.well_signed else ELSEWHERE
    async with connect(where) as connection:
        out = Publisher(connection, audience, within_s=_STORE_S)
        return await out.publish(event.subject, event.data, event_id=event.event_id)
