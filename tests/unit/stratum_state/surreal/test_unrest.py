"""What a store puts up with: calls that fail before or after they were done."""

from collections.abc import AsyncIterator

import anyio
import pytest

from stratum_state.surreal import opening
from stratum_state.surreal.unrest import Restless, Unrest
from support import engines, records, signing
from support.engines import INSTANCE, Faulty
from support.records import a_run, a_step


@pytest.fixture
async def engine() -> AsyncIterator[Faulty]:
    async with engines.in_memory() as engine:
        yield engine


async def test_writes_that_fail_at_random_are_each_kept_once(engine: Faulty) -> None:
    restless = Restless(engine, Unrest(failing=0.3))
    runs = [a_run(f"e{number}") for number in range(40)]

    async def live(number: int) -> None:
        step = a_step(runs[number])
        await store.write([runs[number]])
        await store.write([records.running(runs[number]), step])
        await store.write([records.succeeded(step, '"done"')])

    async with opening.over(restless, instance=INSTANCE, signer=signing.SIGNER) as store:
        restless.is_calm = False
        async with anyio.create_task_group() as writers:
            for number in range(len(runs)):
                writers.start_soon(live, number)
        restless.is_calm = True
        trails = await store.unfinished()

    assert {each.run.event_id for each in trails} == {each.event_id for each in runs}
    assert all(len(each.steps) == 1 for each in trails)
    assert await engines.chains_hold(engine)
