"""Commands for whichever instance holds a run: asked of all, answered by one."""

import json
import logging
from collections.abc import Awaitable, Callable

import anyio
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError, TimeoutError as NoAnswer

from platform_nats.connection import Connection

log = logging.getLogger(__name__)

COMMAND = "stratum.control.command"
_ANSWER_S = 2.0

Obey = Callable[[str, str], Awaitable[str | None]]
"""Run and command to what came of it; None when the run is another's."""


async def serve(connection: Connection, obey: Obey) -> None:
    """Answer commands for runs of ours, leave others to their owners; until cancelled."""

    async def handle(message: Msg) -> None:
        try:
            asked = json.loads(message.data)
            answer = await obey(str(asked["run"]), str(asked["command"]))
        except (ValueError, KeyError, TypeError):
            log.warning("command not understood", extra={"bytes": len(message.data)})
            return
        if answer is not None:
            await message.respond(answer.encode())

    subscription = await connection.client.subscribe(COMMAND, cb=handle)
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.move_on_after(1, shield=True):
            await subscription.unsubscribe()


async def ask(connection: Connection, run: str, command: str) -> str | None:
    """What came of the command where the run is; None when nobody who answers has it."""
    body = json.dumps({"run": run, "command": command}).encode()
    try:
        answer = await connection.client.request(COMMAND, body, timeout=_ANSWER_S)
    except (NoAnswer, NoRespondersError, Error):
        return None
    return answer.data.decode(errors="replace")
