"""What it costs a step to be lent something: the same steps with and without, in turns.

And how long after the end of its processes what it was lent is taken back. A real OpenBao,
real `nu` processes, the saga's own lending, records in memory.

    python bench/credentials.py [--steps 60] [--rounds 3] [--parallel 2]
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import anyio

from stratum_graph.model import (
    ActionNode,
    Credential,
    Definition,
    Handler,
    Limits,
    PlannedNode,
)
from stratum_orchestrator.auth.vault.dev import openbao_dev
from stratum_orchestrator.clock import WallClock
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.ports import Command, CredentialBroker, Kind
from stratum_orchestrator.saga.lending import Lender
from stratum_state.memory import MemoryStore
from stratum_state.model import PipelineRun
from stratum_state.tracker import StateTracker

SCRIPT = "def main [] { '{}' }"
TOKEN = Credential(name="key", env="KEY", path="secret/bench", field="key")


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--steps", type=int, default=60)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--parallel", type=int, default=2)
    options = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(compare, Path(folder), options)


async def compare(folder: Path, options: argparse.Namespace) -> None:
    (folder / "run.nu").write_text(SCRIPT)
    settings = ExecutionSettings(
        data=folder / "data",
        scratch=folder / "scratch",
        token="bench",  # noqa: S106 - names a folder, opens nothing
        project=Path(__file__).parents[1],
        parallel=options.parallel,
    )
    runner = NushellRunner(settings, lambda _: folder)
    async with openbao_dev(folder / "openbao", None) as broker:
        await timed(runner, broker, 1, (TOKEN,))  # so that policy, role and value are there
        ratios, added, late_s = [], [], list[float]()
        for number in range(options.rounds):
            without = await timed(runner, broker, options.steps, ())
            lent = await timed(runner, broker, options.steps, (TOKEN,), late_s)
            ratios.append(without / lent)
            added.append((lent - without) / options.steps * 1000)
            print(
                f"round {number + 1}: {options.steps / without:6.1f} steps/s without,"
                f" {options.steps / lent:6.1f}/s with, {added[-1]:+.1f} ms a step"
            )
    print(f"with / without = {median(ratios):.2f}, {median(added):+.1f} ms a step")
    print(
        f"{len(late_s)} taken back after {1000 * median(late_s):.0f} ms,"
        f" {1000 * max(late_s):.0f} ms at the latest"
    )


async def timed(
    runner: NushellRunner,
    broker: CredentialBroker,
    steps: int,
    credentials: tuple[Credential, ...],
    late_s: list[float] | None = None,
) -> float:
    """Seconds for so many steps, as many at a time as the runner takes.

    `late_s` gets how long after the end of its processes each lease is taken back.
    """
    tracker = StateTracker(MemoryStore())
    lender = Lender(broker, tracker, WallClock())
    node = ActionNode(
        schema="stratum/v1",
        name="bench",
        handler=Handler(script="run.nu"),
        credentials=credentials,
    )
    definition = Definition(node=node, file="bench/node.ncl", tree="sha256:0")
    planned = PlannedNode(definition=definition, stage=0, triggered=True)
    await tracker.record(a_run())

    async def one(number: int) -> None:
        loan = lender.lend("bench", planned, number, Kind.DO)
        if loan.facts:
            await tracker.record(*loan.facts)
        ended = await loan.run(runner, command(number))
        assert ended.failure is None, ended  # noqa: S101 - else nothing was measured
        over = time.perf_counter()
        await loan.record_end()
        if late_s is not None:
            late_s.append(time.perf_counter() - over)

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for number in range(steps):
            tasks.start_soon(one, number + 1)
    return time.perf_counter() - began


def command(number: int) -> Command:
    return Command(
        run="bench",
        node="bench",
        attempt=number,
        kind=Kind.DO,
        pipeline="bench",
        tree="sha256:0",
        script="run.nu",
        stdin=b"{}",
        env={},
        limits=Limits(),
        std_lib=False,
        network=False,
        path=(),
        read=(),
        write=(),
        timeout_s=60,
    )


def a_run() -> PipelineRun:
    return PipelineRun(
        id="bench",
        identity="bench",
        pipeline="bench",
        subject="events.bench",
        event_id="1",
        event_time=0,
        publisher="U",
        principal="bench",
        data="{}",
        plan="",
        generation="",
        authorization="[]",
        accepted=0,
    )


if __name__ == "__main__":
    main()
