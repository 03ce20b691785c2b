"""Waiting for something to become true, instead of sleeping and hoping."""

from collections.abc import Callable

import anyio


async def until(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not within seconds."""
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - the condition may live in another process
            await anyio.sleep(0.02)
