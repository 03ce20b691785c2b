"""What every runner promises to the saga."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from stratum_orchestrator.ports import Command, Kind, Runner
from support.runner import ScriptedRunner
from support.scripts import Bench, command
from support.wait import until

CODE = {"checked-code": {"warnings": 0}}
Make = Callable[..., Command]


class Scripted:
    """Names decide, as the scripts do for the real one."""

    def __init__(self) -> None:
        self.runner = ScriptedRunner(
            fails={"fails", "undoes/undo"}, hangs={"hangs"}, outputs={"gives": CODE}
        )
        self.make: Make = lambda node, **wishes: command("run.nu", node=node, **wishes)

    def started(self) -> bool:
        return bool(self.runner.ran)


BODIES = {
    "gives": f"{json.dumps(CODE)} | to json",
    "silent": "",
    "fails": "error make {msg: 'no such crate'}",
    "hangs": "touch ($env.STRATUM_DATA | path join started); sleep 1hr",
    "undoes": "exit 3",
}


class Real:
    """One script for each name."""

    def __init__(self, folder: Path) -> None:
        bench = Bench(folder)
        self.runner = bench.runner
        self._data = folder / "data"
        self.make: Make = lambda node, **wishes: bench.command(
            BODIES[node], node=node, **wishes
        )

    def started(self) -> bool:
        return any(self._data.rglob("started"))


World = Scripted | Real


@pytest.fixture(params=["scripted", pytest.param("nushell", marks=pytest.mark.acceptance)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return Scripted() if request.param == "scripted" else Real(tmp_path)


def runner_of(world: World) -> Runner:
    return world.runner


async def test_a_step_gives_its_outputs(world: World) -> None:
    ended = await runner_of(world).run(world.make("gives"))

    assert ended.outputs == CODE
    assert (ended.failure, ended.exit_code) == (None, 0)


async def test_a_silent_step_gives_an_empty_object(world: World) -> None:
    ended = await runner_of(world).run(world.make("silent"))

    assert (ended.outputs, ended.failure) == ({}, None)


async def test_a_failure_is_returned_and_not_raised(world: World) -> None:
    ended = await runner_of(world).run(world.make("fails"))

    assert ended.outputs is None
    assert ended.failure is not None
    assert (ended.failure.error_class, ended.exit_code) == ("exit", 1)


async def test_an_undo_may_fail_like_a_step(world: World) -> None:
    ended = await runner_of(world).run(world.make("undoes", kind=Kind.UNDO))

    assert ended.failure is not None
    assert ended.failure.error_class == "exit"


async def test_a_step_that_takes_too_long_is_ended(world: World) -> None:
    ended = await runner_of(world).run(world.make("hangs", timeout_s=0.2))

    assert ended.failure is not None
    assert ended.failure.error_class == "timeout"


async def test_a_cancelled_step_is_ended_and_the_cancellation_goes_on(world: World) -> None:
    returned = False
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            nonlocal returned
            await runner_of(world).run(world.make("hangs"))
            returned = True

        tasks.start_soon(run)
        await until(world.started)
        tasks.cancel_scope.cancel()

    assert not returned


async def test_steps_run_together(world: World) -> None:
    ends = []
    async with anyio.create_task_group() as tasks:

        async def run(node: str) -> None:
            ends.append((await runner_of(world).run(world.make(node))).failure is None)

        for node in ("gives", "fails", "silent", "gives"):
            tasks.start_soon(run, node)

    assert sorted(ends) == [False, True, True, True]


async def test_how_it_was_contained_and_what_it_used_is_told(world: World) -> None:
    ended = await runner_of(world).run(world.make("gives"))

    assert ended.level in {"limits, network open", "landlock"}
    assert ended.resources is not None
