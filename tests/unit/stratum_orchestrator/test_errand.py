"""An errand is done to its end, whatever becomes of whoever waits for it."""

import asyncio

import anyio
import pytest

from stratum_orchestrator.saga.errand import Errand


async def test_it_gives_what_was_done_or_raises_why_not() -> None:
    async def fails() -> int:
        raise LookupError("nothing there")  # noqa: TRY003

    async def works() -> int:
        return 7

    async with anyio.create_task_group() as tasks:
        assert await Errand(works).run(tasks) == 7
        with pytest.raises(LookupError, match="nothing there"):
            await Errand(fails).run(tasks)


async def test_it_goes_on_when_the_server_cancels_whoever_asked() -> None:
    gate, done = anyio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append("all of it")

    async with anyio.create_task_group() as tasks:
        asking = asyncio.ensure_future(Errand(work).run(tasks))  # noqa: TID251 - as aiohttp does
        await anyio.wait_all_tasks_blocked()
        asking.cancel()
        gate.set()

    assert done == ["all of it"]
    assert asking.cancelled()
