"""An errand is done to its end, whatever becomes of whoever waits for it."""

import asyncio

import anyio
import pytest
from anyio.abc import TaskGroup

from stratum_orchestrator.errors import Ending
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


async def test_whoever_waits_is_told_when_it_is_cut_off_with_all_the_others() -> None:
    told: list[str] = []

    async def wait_for(errand: Errand[None], tasks: TaskGroup) -> None:
        with pytest.raises(Ending) as why:
            await errand.run(tasks)
        told.append(str(why.value))

    async with anyio.create_task_group() as waiting, anyio.create_task_group() as tasks:
        waiting.start_soon(wait_for, Errand(anyio.sleep_forever), tasks)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
        await wait_for(Errand(anyio.sleep_forever), tasks)

    assert told == 2 * ["this daemon is ending, and may not have done it any more"]
