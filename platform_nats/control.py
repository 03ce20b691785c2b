"""Commands for whichever instance holds a run: asked of all, answered by one."""

import json
import logging
from collections.abc import Awaitable, Callable

import anyio
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError, TimeoutError as NoAnswer

from platform_nats.connection import Connection

log = logging.getLogger(__name__)

CANCEL = "stratum.control.cancel"
_ANSWER_S = 2.0

Cancel = Callable[[str, str], Awaitable[bool]]
"""Run and cause to whether it was ours and is turned back now."""


async def serve(connection: Connection, cancel: Cancel) -> None:
    """Answer commands for runs of ours, leave others to their owners; until cancelled."""

    async def handle(message: Msg) -> None:
        try:
            asked = json.loads(message.data)
            done = await cancel(str(asked["run"]), str(asked["cause"]))
        except (ValueError, KeyError, TypeError):
            log.warning("command not understood", extra={"bytes": len(message.data)})
            return
        if done:
            await message.respond(b"done")

    subscription = await connection.client.subscribe(CANCEL, cb=handle)
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.move_on_after(1, shield=True):
            await subscription.unsubscribe()


async def ask_to_cancel(connection: Connection, run: str, cause: str) -> bool:
    """Whether some instance had the run and has turned it back."""
    body = json.dumps({"run": run, "cause": cause}).encode()
    try:
        await connection.client.request(CANCEL, body, timeout=_ANSWER_S)
    except (NoAnswer, NoRespondersError, Error):
        return False
    return True
