"""When a step has ended, nothing of it is left."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from stratum_graph.model import Limits
from stratum_orchestrator.execution.orphans import end_orphans
from stratum_orchestrator.ports import Ended
from support.levels import needs_bubblewrap
from support.processes import children, descriptors, marked, spawn_threads
from support.scripts import PROJECT, TOKEN, Bench, Wishes
from support.wait import until

pytestmark = pytest.mark.acceptance

STARTED = "touch ($env.STRATUM_DATA | path join started)"
STUBBORN = f"{STARTED}; ^sh -c 'trap \"\" TERM; while true; do sleep 0.1; done'"
ESCAPED = f"^sh -c 'env -i setsid sleep 600 & sleep 0.1'; {STARTED}"
MANY = f"^sh -c 'for n in $(seq 200); do setsid sleep 600 & done'; {STARTED}"
DEAF = f"{STARTED}; ^sh -c 'exec <&- >&- 2>&-; exec sleep 600'"
JOB = f"job spawn {{ ^sleep 600 }}; sleep 50ms; {STARTED}"


@pytest.fixture(params=["auto", pytest.param("bubblewrap", marks=needs_bubblewrap)])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    before = children()
    yield Bench(tmp_path, level=request.param)
    assert children() <= before
    assert marked(TOKEN) == set()


def started(bench: Bench) -> bool:
    return any((bench.settings.data / "pipelines").rglob("started"))


async def cancel_once_started(bench: Bench, body: str) -> list[Ended]:
    ends: list[Ended] = []
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            ends.append(await bench.run(body))

        tasks.start_soon(run)
        await until(lambda: started(bench))
        tasks.cancel_scope.cancel()
    return ends


@pytest.mark.parametrize(
    "body", [JOB, ESCAPED, "^sh -c 'sleep 600 &'", "^sh -c 'setsid true &'"]
)
async def test_background_processes_end_with_their_script(bench: Bench, body: str) -> None:
    ended = await bench.run(body)

    assert ended.failure is None


@pytest.mark.parametrize(
    "body",
    [
        STUBBORN,
        f"{JOB}; sleep 1hr",
        f"{ESCAPED}; sleep 1hr",
        f"{MANY}; sleep 1hr",
        DEAF,
    ],
)
async def test_a_timeout_ends_everything(bench: Bench, body: str) -> None:
    ended = await bench.run(body, timeout_s=0.6)

    assert ended.failure is not None
    assert ended.failure.error_class == "timeout"


@pytest.mark.parametrize("body", [STUBBORN, f"{JOB}; sleep 1hr", f"{ESCAPED}; sleep 1hr"])
async def test_a_cancellation_ends_everything(bench: Bench, body: str) -> None:
    ends = await cancel_once_started(bench, body)

    assert ends == []


async def test_what_was_written_before_the_end_is_kept(bench: Bench) -> None:
    body = f"print --stderr 'so far'; {STARTED}; sleep 1hr"

    timeout_s = 0.5
    ended = await bench.run(body, timeout_s=timeout_s)
    while not started(bench):  # on a busy machine, the time was over before it came so far
        timeout_s *= 2
        ended = await bench.run(body, timeout_s=timeout_s)

    assert ended.stderr == "so far\n"
    assert ended.failure is not None
    assert ended.failure.message.endswith(": so far")


async def test_a_waiting_step_can_be_cancelled(tmp_path: Path) -> None:
    crowded = Bench(tmp_path, parallel=1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(crowded.run, f"{STARTED}; sleep 1hr")
        await until(lambda: started(crowded))
        with anyio.move_on_after(0.05) as waiting:
            await crowded.run("{} | to json")
        tasks.cancel_scope.cancel()

    assert waiting.cancelled_caught
    assert marked(TOKEN) == set()


async def test_turns_are_taken_in_order(tmp_path: Path) -> None:
    narrow = Bench(tmp_path, parallel=1)
    order: list[int] = []
    async with anyio.create_task_group() as tasks:

        async def run(number: int) -> None:
            await narrow.run("")
            order.append(number)

        for number in range(6):
            tasks.start_soon(run, number)

    assert order == sorted(order)


DAEMON = """
import anyio, sys
from pathlib import Path
from support.scripts import Bench
anyio.run(Bench(Path(sys.argv[1]), token=sys.argv[3]).run, sys.argv[2])
"""


async def test_orphans_of_a_killed_daemon_are_ended_and_no_others(tmp_path: Path) -> None:
    ours = Bench(tmp_path / "ours")
    theirs = Bench(tmp_path / "theirs")
    python = {"PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "tests")))}
    child = "touch $STRATUM_DATA/started; exec sleep 600"
    body = f"job spawn {{ ^setsid sh -c '{child}' }}; sleep 1hr"
    arguments = [sys.executable, "-c", DAEMON, str(tmp_path / "killed"), body, TOKEN]
    with subprocess.Popen(arguments, env=python) as daemon:  # noqa: ASYNC220
        await until(lambda: any((tmp_path / "killed").rglob("started")))
        daemon.send_signal(signal.SIGKILL)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ours.run, f"{STARTED}; sleep 1hr")
        await until(lambda: started(ours))
        alive = marked(TOKEN)
        ended = await end_orphans(TOKEN)
        left = marked(TOKEN)
        tasks.cancel_scope.cancel()

    assert ended >= 2
    assert len(left) == 1
    assert len(alive) == ended + 1
    assert theirs.settings.token == TOKEN


MIXED: list[tuple[str, Wishes]] = [
    ("{} | to json", {}),
    ("$in | from json | to json", {"stdin": b'{"a": 1}' * 1}),
    ("exit 3", {}),
    ("print nonsense", {}),
    ("sleep 1hr", {"timeout_s": 0.05}),
    ("^sh -c 'sleep 600 > /dev/null 2> /dev/null &'", {}),
    ("^sh -c 'setsid sleep 600 > /dev/null 2> /dev/null &'", {}),
    ("^sh -c 'setsid true > /dev/null 2> /dev/null &'", {}),
    ("job spawn { ^sleep 600 }", {}),
    ("^yes", {"limits": Limits(output=1 << 18)}),
    ("{} | to json", {"stdin": b"x" * 300_000}),
    ("^sh -c 'exec >&- 2>&-; sleep 600'", {"timeout_s": 0.05}),
    ("{} | to json", {"path": ("/nowhere",)}),
    ("{} | to json", {"write": ("/nowhere",)}),
]


@pytest.mark.timeout(240)
async def test_nothing_is_left_of_five_hundred_mixed_runs(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 - for repetition, not for secrets
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311
    bench = Bench(tmp_path, parallel=8)
    commands = [bench.command(body, **wishes) for body, wishes in MIXED]
    await bench.run("{} | to json")
    before = children(), descriptors()

    async def run_many(number: int) -> None:
        for _ in range(number):
            with anyio.move_on_after(chance.choice((0.01, 0.03, 60, 60, 60, 60))):
                await bench.runner.run(chance.choice(commands))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(run_many, 50)

    assert (children(), descriptors()) == before
    assert marked(TOKEN) == set()
    await until(lambda: not spawn_threads())  # the kernel forgets them a moment later
    assert list((bench.settings.scratch / "steps").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "limits", "remedy"),
    [
        ("^sh -c 'kill -SEGV $$'", Limits(), "SIGSEGV"),
        ("^sh -c 'kill -9 $PPID'", Limits(), "SIGKILL"),
        ("loop { }", Limits(cpu=1), "handler.limits.cpu"),
    ],
)
async def test_the_signal_that_ended_it_is_told(
    bench: Bench, body: str, limits: Limits, remedy: str
) -> None:
    ended = await bench.run(body, limits=limits)

    assert ended.failure is not None
    assert remedy in ended.failure.message
