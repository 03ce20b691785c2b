"""Cancellations that nobody asked for."""

import asyncio

import anyio
import anyio.lowlevel
import pytest
from nats.errors import TimeoutError as NoAnswer

from platform_nats.stray import answered


@answered
async def stray() -> None:
    waited_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waited_for.cancel()
    await waited_for


@answered
async def long() -> None:
    await anyio.sleep_forever()


async def test_a_cancellation_by_nobody_is_no_answer_and_ends_no_others() -> None:
    ended = []

    async def other() -> None:
        await anyio.sleep(0.01)
        ended.append("other")

    async def meets_it() -> None:
        with pytest.raises(NoAnswer):
            await stray()
        ended.append("it")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        tasks.start_soon(meets_it)

    assert sorted(ended) == ["it", "other"]


async def test_the_scope_that_cancels_knows_its_own() -> None:
    with anyio.move_on_after(0.01) as scope:
        await long()
    assert scope.cancelled_caught


async def test_a_scope_that_cancels_at_the_same_time_knows_it_too() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await stray()
    assert scope.cancelled_caught


async def test_a_task_that_is_cancelled_itself_ends() -> None:
    task = asyncio.get_running_loop().create_task(long())
    await anyio.lowlevel.checkpoint()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
