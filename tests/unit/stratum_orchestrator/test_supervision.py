"""Tasks beside a block."""

import asyncio

import anyio
import anyio.lowlevel
import pytest

from stratum_orchestrator.supervision import background


async def test_it_ends_with_the_block() -> None:
    ended = []

    async def beside() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("beside")

    async with background(beside):
        await anyio.lowlevel.checkpoint()

    assert ended == ["beside"]


async def test_a_cancellation_by_nobody_does_not_pass_for_the_end() -> None:
    async def beside() -> None:
        waited_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waited_for.cancel()
        await waited_for

    with pytest.raises(ExceptionGroup) as found:
        async with background(beside):
            await anyio.sleep_forever()

    assert found.group_contains(RuntimeError, match="cancelled by nobody")
