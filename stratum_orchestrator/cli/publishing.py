"""One event on its way out: signed and stored."""

import logging
import time
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


_NOTICED_S = 10.0
"""So long after a change a daemon has surely noticed who may come in."""
_AGAIN_S = 0.2


class Letter(NamedTuple):
    """What is published."""

    subject: str
    payload: bytes
    event_id: str | None = None
    headers: Mapping[str, str] = {}
    creds_file: Path | None = None
    """Of a server in operator mode."""


def publish(address: Address, key: UserKey, letter: Letter, home: Path) -> Receipt:
    """Sign the event and wait until it is stored; Stop says what stands in its way.

    Whoever was added a moment ago is waited for until the daemon of the home has noticed.
    """
    is_in = False

    async def stored() -> Receipt:
        nonlocal is_in
        door = publisher(address.nats, key.seed(), address.audience, letter.creds_file)
        async with door as out:
            is_in = True
            return await out.publish(
                letter.subject,
                letter.payload,
                event_id=letter.event_id,
                headers=letter.headers,
            )

    # what the broker says is in the error: no bare line of a log beside it
    logging.getLogger("platform_nats").addHandler(logging.NullHandler())
    while True:
        try:
            return anyio.run(stored)
        except errors.TransportError as error:
            is_refused = isinstance(error, errors.NotAuthorized) and not is_in
            if not is_refused or not _is_just_added(home, key.public):
                raise Stop(str(error), code=_CODES.get(type(error), Exit.FAILED)) from None
        time.sleep(_AGAIN_S)


def _is_just_added(home: Path, key: str) -> bool:
    """Whether the key is of somebody whom commands have let in, and that is not long ago."""
    # only who is refused has to know who has access, which takes time to load
    from stratum_orchestrator.auth.access import Access  # noqa: PLC0415
    from stratum_orchestrator.auth.errors import BadRegister  # noqa: PLC0415
    from stratum_orchestrator.home import ACCESS  # noqa: PLC0415

    people = Access.at(home / ACCESS).principals
    try:
        seen, changes = people.state(), people.read().principals
    except BadRegister:
        return False
    if seen is None or time.time() - seen[0] / 1e9 > _NOTICED_S:
        return False
    return any(key in each.let_in for each in changes)
