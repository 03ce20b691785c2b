"""How many steps a second the runner starts, against bare `nu` on the same script.

Bare means: the same binary, flags, environment and script, started by posix_spawn from one
loop, no pipes, nothing read, nothing contained. That is what the cores can do; the runner's
share of it is printed. Then what each level of containment adds to a step, and what five
secrets do, as shares of the least; and how fast secrets are looked for. All are measured in
turns, because machines are noisy.

    python bench/execution.py [--steps 200] [--rounds 3] [--parallel 4]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import cast

import anyio

from stratum_graph.model import Limits
from stratum_orchestrator.execution.errors import LevelMissing
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.execution.redaction import Redactor
from stratum_orchestrator.execution.settings import ExecutionSettings, WantedLevel
from stratum_orchestrator.ports import Command, Kind

STDIN = b'{"event":{"data":{"crate":"serde"}},"inputs":{}}'
NONE: Mapping[str, str] = MappingProxyType({})
SECRETS = {f"SECRET_{n}": f"hvs.{n:064x}" for n in range(5)}
SCRIPT = (
    "def main [] { let input = $in | from json; { checked: $input.event.data } | to json -r }"
)


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--steps", type=int, default=200)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--parallel", type=int, default=2 * len(os.sched_getaffinity(0)))
    options = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(compare, Path(folder), options)


async def compare(folder: Path, options: argparse.Namespace) -> None:
    (folder / "run.nu").write_text(SCRIPT)
    (folder / "input.json").write_bytes(STDIN)
    settings = ExecutionSettings(
        data=folder / "data",
        scratch=folder / "scratch",
        token="bench",  # noqa: S106 - names a folder, opens nothing
        project=Path(__file__).parents[1],
        parallel=options.parallel,
    )
    runner = NushellRunner(settings, lambda _: folder)
    shares = []
    for number in range(options.rounds):
        limit = bare(runner.argv(str(folder / "run.nu"), std_lib=False), folder, options)
        ours = await complete(runner, options)
        shares.append(ours / limit)
        print(f"round {number + 1}: bare {limit:6.1f}/s  runner {ours:6.1f}/s")
    level = runner.containment.level
    print(f"runner ({level}, {options.parallel} at a time) / bare = {median(shares):.2f}")
    await compare_levels(folder, settings, options)
    search()


async def compare_levels(
    folder: Path, settings: ExecutionSettings, options: argparse.Namespace
) -> None:
    runners: dict[str, tuple[NushellRunner, Mapping[str, str]]] = {}
    for level in ("limits", "landlock", "bubblewrap"):
        chosen = replace(settings, level=cast("WantedLevel", level))
        try:
            runners[level] = NushellRunner(chosen, lambda _: folder), {}
        except LevelMissing as missing:
            print(missing)
    runners["limits, 5 secrets"] = runners["limits"][0], SECRETS
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(options.rounds):
        for name, (runner, secrets) in runners.items():
            rates[name].append(await complete(runner, options, secrets))
    least = median(rates["limits"])
    for name, each in rates.items():
        added = 1000 * (1 / median(each) - 1 / least)
        print(f"{name:<18} {median(each):6.1f}/s  {median(each) / least:.2f}  {added:+.2f} ms")


def search() -> None:
    """Print how fast secrets are found to be absent from a step's output."""
    text = b"\n".join(b'{"name": "file %d", "size": %d}' % (n, n * n) for n in range(1 << 15))
    for count in (1, 5, 20):
        names = {f"SECRET_{n}": f"{n:02}-{'x' * 30}" for n in range(count)}
        redactor = Redactor(names)
        began = time.process_time()
        redactor.spans(text)
        speed = len(text) / (time.process_time() - began) / 1e6
        print(f"search for {count:2} secrets: {speed:5.0f} MB for a second of one core")


def bare(argv: tuple[str, ...], folder: Path, options: argparse.Namespace) -> float:
    """Return starts a second of the binary alone."""
    environment = {
        "PATH": f"{folder / 'scratch' / 'shim'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
    }
    began = time.perf_counter()
    running = 0
    for _ in range(options.steps):
        if running == options.parallel:
            os.waitpid(-1, 0)
            running -= 1
        _start(argv, environment, folder)
        running += 1
    for _ in range(running):
        os.waitpid(-1, 0)
    return options.steps / (time.perf_counter() - began)


def _start(argv: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, str(folder / "input.json"), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    os.posix_spawn(argv[0], argv, environment, file_actions=streams)


async def complete(
    runner: NushellRunner, options: argparse.Namespace, secrets: Mapping[str, str] = NONE
) -> float:
    """Return steps a second of the whole runner."""
    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for number in range(options.steps):
            tasks.start_soon(_step, runner, number, secrets)
    return options.steps / (time.perf_counter() - began)


async def _step(runner: NushellRunner, number: int, secrets: Mapping[str, str]) -> None:
    command = Command(
        run=f"run-{number}",
        node="bench",
        attempt=1,
        kind=Kind.DO,
        pipeline="bench",
        tree="sha256:0",
        script="run.nu",
        stdin=STDIN,
        env={},
        secrets=secrets,
        limits=Limits(),
        std_lib=False,
        network=False,
        path=(),
        read=(),
        write=(),
        timeout_s=60,
    )
    ended = await runner.run(command)
    if ended.failure is not None:
        raise SystemExit(ended.failure.message)


if __name__ == "__main__":
    main()
