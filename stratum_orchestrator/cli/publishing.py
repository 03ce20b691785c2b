"""One event on its way out: signed and stored."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import anyio

from platform_nats import errors
from platform_nats.nkey import UserKey
from platform_nats.publisher import Receipt, publisher
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.client.answers import Address

_CODES: dict[type[errors.TransportError], Exit] = {
    errors.BadSubject: Exit.USAGE,
    errors.CannotSeal: Exit.USAGE,
    errors.NoServer: Exit.UNAVAILABLE,
    errors.ConnectionLost: Exit.UNAVAILABLE,
    errors.NotPublished: Exit.UNAVAILABLE,
    errors.NotAuthorized: Exit.PERMISSION,
    errors.NotPermitted: Exit.REFUSED,
    errors.DuplicateId: Exit.REFUSED,
}


class Letter(NamedTuple):
    """What is published."""

    subject: str
    payload: bytes
    event_id: str | None = None
    headers: Mapping[str, str] = {}
    creds_file: Path | None = None
    """Of a server in operator mode."""


def publish(address: Address, key: UserKey, letter: Letter) -> Receipt:
    """Sign the event and wait until it is stored; Stop says what stands in its way."""

    async def stored() -> Receipt:
        door = publisher(address.nats, key.seed(), address.audience, letter.creds_file)
        async with door as out:
            return await out.publish(
                letter.subject,
                letter.payload,
                event_id=letter.event_id,
                headers=letter.headers,
            )

    # what the broker says is in the error: no bare line of a log beside it
    logging.getLogger("platform_nats").addHandler(logging.NullHandler())
    try:
        return anyio.run(stored)
    except errors.TransportError as error:
        raise Stop(str(error), code=_CODES.get(type(error), Exit.FAILED)) from None
