"""A machine that has nothing left to start a step with makes it wait, and not fail at once."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from stratum_orchestrator.ports import Ended
from support.scripts import Bench
from support.wait import until

pytestmark = pytest.mark.acceptance

FINE = "{} | to json"


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing more can be opened within the block."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, usual[1]))
    os.close(free)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


async def test_a_step_waits_until_there_are_descriptors_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    command = bench.command(FINE)
    ends: list[Ended] = []

    async def run() -> None:
        ends.append(await bench.runner.run(command))

    async with anyio.create_task_group() as tasks:
        with no_descriptors():
            tasks.start_soon(run)
            await until(lambda: "Too many open files" in bench.runner.shortage)

    assert [each.failure for each in ends] == [None]
    assert bench.runner.shortage == ""


async def test_a_shortage_that_lasts_is_a_step_that_could_not_be_started(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, shortage_s=0.2)
    command = bench.command(FINE)

    with no_descriptors():
        ended = await bench.runner.run(command)

    assert ended.failure is not None
    assert ended.failure.error_class == "spawn"
    assert "Too many open files" in ended.failure.message


async def test_a_step_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    command = bench.command(FINE)

    with no_descriptors():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.runner.run, command)
            await until(lambda: bool(bench.runner.shortage))
            tasks.cancel_scope.cancel()

    assert (await bench.runner.run(command)).failure is None
