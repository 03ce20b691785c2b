"""Tasks that last as long as their scope, and the signals that end the daemon."""

import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import anyio

log = logging.getLogger(__name__)


@asynccontextmanager
async def background(
    task: Callable[[], Coroutine[object, object, object]],
) -> AsyncIterator[None]:
    """Run the task beside the block, and end it with the block; its error ends the block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(task)
        yield
        tasks.cancel_scope.cancel()


async def until_asked_to_stop(stop: Callable[[], None], hurry: Callable[[], None]) -> None:
    """At the first SIGTERM or SIGINT stop, at each further one hurry."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        asked = False
        async for number in signals:
            log.info("asked to stop", extra={"signal": number.name, "again": asked})
            if asked:
                hurry()
            asked = True
            stop()
