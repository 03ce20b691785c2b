"""Notices to every instance: something is on record that concerns them all."""

import logging
from collections.abc import Awaitable, Callable

import anyio
from nats.aio.msg import Msg
from nats.errors import Error

from platform_nats.connection import Connection

log = logging.getLogger(__name__)

ACTIVATED = "stratum.control.activated"
"""Another bundle is in force."""
STANDING = "stratum.control.standing"
"""A pipeline is held back, or is not any more."""
_FLUSH_S = 2
_LOOK_S = 30.0  # also without a notice


async def listen(
    connection: Connection, heard: Callable[[], Awaitable[None]], subject: str = ACTIVATED
) -> None:
    """Call `heard` when something may be on record, and now and then; until cancelled.

    A notice only says that there is something to read: whoever forges one changes nothing, and
    one that is lost is made up for.
    """
    bell = anyio.Event()

    async def ring(_: Msg) -> None:
        bell.set()

    subscription = await connection.client.subscribe(subject, cb=ring)
    try:
        while True:
            with anyio.move_on_after(_LOOK_S):
                await bell.wait()
            bell = anyio.Event()
            await heard()
    finally:
        with anyio.move_on_after(1, shield=True):
            await subscription.unsubscribe()


async def tell(connection: Connection, what: str, subject: str = ACTIVATED) -> None:
    """Tell everybody. Those who are away find it on record when they start."""
    try:
        await connection.client.publish(subject, what.encode())
        await connection.client.flush(_FLUSH_S)
    except (Error, TimeoutError) as why:
        log.warning("other instances not told", extra={"why": str(why)})
