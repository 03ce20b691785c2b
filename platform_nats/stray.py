"""Cancellations that nobody asked for, made into what they are: no answer.

nats-py cancels what it waits for when a connection ends, and asyncio hands on as a cancellation
that what was awaited had been cancelled. A task group takes the one for the other: it believes
that its task is to end, and quietly ends all the others with it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import ParamSpec, TypeVar

import anyio.lowlevel
from nats.errors import TimeoutError as NoAnswer

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Call = Callable[_P, Coroutine[object, object, _T]]


def answered(call: _Call[_P, _T]) -> _Call[_P, _T]:
    """The call, which raises nats-py's TimeoutError where it was cancelled by nobody."""

    @wraps(call)
    async def answering(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await call(*args, **kwargs)
        except asyncio.CancelledError:
            await anyio.lowlevel.checkpoint_if_cancelled()  # by a scope: it has to know its own
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise NoAnswer from None

    return answering
