"""Tasks that last as long as their scope, and the signals that end the daemon."""

import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

log = logging.getLogger(__name__)


@asynccontextmanager
async def background(
    task: Callable[[], Coroutine[object, object, object]],
) -> AsyncIterator[None]:
    """Run the task beside the block, and end it with the block; its error ends the block.

    Raises RuntimeError when the task is cancelled by nobody: a library's own cancellation that
    got out would otherwise end the block as if it were done.
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_noticed, task)
        yield
        tasks.cancel_scope.cancel()


async def _noticed(task: Callable[[], Coroutine[object, object, object]]) -> None:
    try:
        await task()
    except anyio.get_cancelled_exc_class() as stray:
        await anyio.lowlevel.checkpoint_if_cancelled()
        raise RuntimeError(f"{task!r} was cancelled by nobody") from stray  # noqa: TRY003


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
