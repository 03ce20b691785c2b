"""A daemon at work loads definitions without waiting for other machines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import anyio

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.descriptor import Descriptor, Source
from stratum_graph.definitions.remote.beside import Beside
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.remote.places import Places
from support.hostile import Hostile, hostile

SCRIPT = b"def main [] { }"


class Told:
    """Counts, and can be waited for."""

    def __init__(self) -> None:
        self._came = anyio.Event()

    async def __call__(self) -> None:
        self._came.set()

    async def wait(self) -> None:
        await self._came.wait()
        self._came = anyio.Event()


@asynccontextmanager
async def served(folder: Path, there: Hostile) -> AsyncIterator[tuple[Beside, Told]]:
    places = Places(hosts=frozenset([there.host]))
    beside, told = Beside(Fetcher(places, ContentStore(folder))), Told()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beside.serve, told)
        await anyio.wait_all_tasks_blocked()
        yield beside, told
        tasks.cancel_scope.cancel()


def script(there: Hostile) -> Descriptor:
    return Descriptor(
        uri=f"http://{there.host}/a.nu",
        source=Source(type="http"),
        sha256=sha256(SCRIPT).hexdigest(),
    )


async def test_a_load_does_not_wait_and_the_next_one_has_it(tmp_path: Path) -> None:
    with hostile() as there:
        there.lie("/a.nu", body=SCRIPT)
        async with served(tmp_path, there) as (beside, told):
            first = await beside.fetch([script(there)])
            await told.wait()
            second = await beside.fetch([script(there)])

    assert "it is being fetched" in first[script(there)]
    assert second == {script(there): SCRIPT}


async def test_what_failed_is_told_once_it_is_known_and_then_again(tmp_path: Path) -> None:
    with hostile() as there:
        there.lie("/a.nu", status=404)
        async with served(tmp_path, there) as (beside, told):
            await beside.fetch([script(there)])
            await told.wait()
            failed = await beside.fetch([script(there)])
            there.lie("/a.nu", body=SCRIPT)
            meanwhile = await beside.fetch([script(there)])
            await told.wait()
            mended = await beside.fetch([script(there)])

    assert "does not have it (404" in str(failed[script(there)])
    assert meanwhile == failed
    assert mended == {script(there): SCRIPT}
    assert len(there.asked) == 2


async def test_a_silent_machine_holds_nobody_up(tmp_path: Path) -> None:
    with hostile() as there:
        there.lie("/a.nu", is_silent=True)
        async with served(tmp_path, there) as (beside, _):
            for _again in range(3):
                found = await beside.fetch([script(there)])

                assert "it is being fetched" in found[script(there)]
                assert not beside.is_due
    assert len(there.asked) <= 1
