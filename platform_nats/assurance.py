"""Publishing what has to be in the stream once, whoever was killed while trying before."""

from collections.abc import Mapping

from platform_nats.connection import Connection
from platform_nats.delivery import Delivery
from platform_nats.envelope import Limits, open_envelope
from platform_nats.errors import DuplicateId, EnvelopeRefused, NotPublished
from platform_nats.lookup import milliseconds, stored
from platform_nats.publisher import Publisher

_NAMES = 8  # that others can have taken before something else must be wrong
_TAKEN = "its id was taken again and again, by events that are not ours"


class Assurance:
    """Publishes events of ours under ids that everybody can foresee.

    Within the stream's window for duplicates a repetition finds what is stored already. An id
    that somebody else has used is given up for the next one: it suppresses nothing.
    """

    def __init__(self, connection: Connection, audience: str, *, within_s: float) -> None:
        self._connection = connection
        self._audience = audience
        self._publisher = Publisher(connection, audience, within_s=within_s)

    async def publish(
        self, subject: str, data: object, event_id: str, headers: Mapping[str, str]
    ) -> int:
        """The event's sequence in the stream. Raises as `Publisher.publish`, and BrokerAway."""
        for number in range(1, _NAMES + 1):
            name = event_id if number == 1 else f"{event_id}.{number}"
            try:
                receipt = await self._publisher.publish(
                    subject, data, event_id=name, cloudevent=True, headers=headers
                )
            except DuplicateId as duplicate:
                if await self._is_ours(duplicate.sequence, subject):
                    return duplicate.sequence
            else:
                return receipt.sequence
        raise NotPublished(subject, event_id, _TAKEN)

    async def _is_ours(self, sequence: int, subject: str) -> bool:
        found = await stored(self._connection, sequence)
        if found is None:
            return False
        delivery = Delivery(
            subject=found.subject or "",
            body=found.data or b"",
            headers=found.headers or {},
            sequence=sequence,
            stored_ms=milliseconds(found),
        )
        ours = self._connection.key.public
        try:
            open_envelope(delivery, self._audience, lambda key: key == ours, Limits())
        except EnvelopeRefused:
            return False
        return delivery.subject == subject
