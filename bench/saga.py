"""The whole daemon against what the cores can do: latency, and steps a second of order-saga.

Latency: from before an event is signed and published to the first line that its first process
executes; Nushell's own start is in it. Throughput: from the first publish to the end of the
last run, everything durable, against bare `nu` with the same flags, the same script and the
same number at a time, in turns with it. Beside it, the processor time of a step: the daemon's
own with its database, the broker's, and that of the processes themselves; unlike the ratio of
the rates, it says the same when the machine has other things to do.

    python bench/saga.py [--orders 150] [--events 60] [--rounds 2]
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from platform_nats.publisher import Publisher, publisher
from support.daemon import REPOSITORY, Daemon, running, write_node
from support.processes import descendants
from support.vitals import vitals

_PROBE = "def main [] { { probe: (date now | into int) } | to json --raw }"
_STEPS = 4
_ORDER = {"item": "lamp", "quantity": 1, "amount": 500}


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--orders", type=int, default=150)
    wanted.add_argument("--events", type=int, default=60)
    wanted.add_argument("--rounds", type=int, default=2)
    options = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        shutil.copytree(REPOSITORY / "nodes" / "order-saga", project / "nodes" / "order-saga")
        write_node(
            project,
            "probe",
            'trigger = { pipeline = "probe", subjects = ["events.probe"] }, '
            'produces = ["probe"], handler.script = "run.nu", effect = \'pure',
            run=_PROBE,
        )
        with running(project) as daemon:
            anyio.run(measure, daemon, options)


async def measure(daemon: Daemon, options: argparse.Namespace) -> None:
    seed = (daemon.home / "keys" / "developer.nk").read_text().strip()
    async with publisher(str(daemon.address["nats"]), seed, "stratum") as events:
        await latency(daemon, events, options.events)
        shares, useful = [], []
        for number in range(options.rounds):
            limit = bare(daemon, _STEPS * options.orders)
            turn = await throughput(daemon, events, options.orders, number)
            shares.append(turn.steps_s / limit)
            useful.append(turn.useful)
            print(
                f"round {number + 1}: bare nu {limit:6.1f}/s  "
                f"order-saga {turn.steps_s:6.1f} steps/s; a step costs {turn.costs_ms}"
            )
    print(f"order-saga / bare nu = {median(shares):.2f}")
    print(f"processor time that went into nu = {median(useful):.2f} of all")


async def latency(daemon: Daemon, events: Publisher, count: int) -> None:
    """Publish one event after the other, each after the end of the run before."""
    took = []
    for number in range(count):
        began = time.time_ns()
        receipt = await events.publish("events.probe", {"n": number})
        verdict = ask(daemon, f"/api/v1/verdicts/{receipt.sequence}?wait=20")
        run = await ended(daemon, verdict["runs"][0])
        took.append((run["steps"][0]["outputs"]["probe"] - began) / 1e6)
    cuts = quantiles(took, n=100)
    print(f"published to first line executed: p50 {cuts[49]:.1f} ms  p99 {cuts[98]:.1f} ms")


async def ended(daemon: Daemon, run: str) -> dict:
    seen = ""
    while True:
        found = ask(daemon, f"/api/v1/runs/{run}?wait=20{seen}")
        if found["ended"]:
            return found
        seen = f"&seen={found['change']}"


class Turn(NamedTuple):
    """What a round of orders came to."""

    steps_s: float
    costs_ms: str
    useful: float
    """The part of the processor time that went into the steps' own processes."""


async def throughput(daemon: Daemon, events: Publisher, orders: int, turn: int) -> Turn:
    """Steps a second, and their cost, from the first publish to the end of the last run."""
    sequences: list[int] = []

    async def place(number: int) -> None:
        order = {**_ORDER, "order": f"r{turn}-{os.getpid()}-{number}"}
        receipt = await events.publish("events.orders.placed", order)
        sequences.append(receipt.sequence)

    before, began = spent(daemon), time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for number in range(orders):
            tasks.start_soon(place, number)
    ask(daemon, f"/api/v1/verdicts/{max(sequences)}?wait=60")
    while ask(daemon, "/api/v1/status")["live_runs"]:  # noqa: ASYNC110 - asks little
        await anyio.sleep(0.1)
    took, after = time.perf_counter() - began, spent(daemon)
    for each in sequences:
        verdict = ask(daemon, f"/api/v1/verdicts/{each}?wait=60")
        if ask(daemon, f"/api/v1/runs/{verdict['runs'][0]}?wait=60")["status"] != "completed":
            sys.exit("a run did not complete")
    steps = _STEPS * orders
    cost = {name: after[name] - before[name] for name in before}
    costs = (f"{name} {1000 * seconds / steps:.1f} ms" for name, seconds in cost.items())
    return Turn(steps / took, ", ".join(costs), cost["nu"] / sum(cost.values()))


def spent(daemon: Daemon) -> dict[str, float]:
    """Seconds of processor time so far, by who had it."""
    own = vitals(daemon.pid)
    below = (pid for pid in descendants(daemon.pid) if name(pid) == "nats-server")
    broker = sum(vitals(pid).cpu_s for pid in below)
    return {"daemon": own.cpu_s, "broker": broker, "nu": own.children_cpu_s}


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def ask(daemon: Daemon, path: str) -> dict:
    request = urllib.request.Request(f"{daemon.address['http']}{path}")  # noqa: S310 - loopback
    request.add_header("Authorization", f"Bearer {daemon.token}")
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        found: dict = json.load(answer)
    return found


def bare(daemon: Daemon, processes: int) -> float:
    """Processes a second: the first node's script, same flags, nothing around it."""
    folder = daemon.project / "bare"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "shim").mkdir(parents=True)
    (folder / "shim" / "tput").touch(mode=0o755)
    script = REPOSITORY / "nodes" / "order-saga" / "reserve-stock" / "run.nu"
    environment = {
        "PATH": f"{folder / 'shim'}:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "STRATUM_DATA": str(folder),
    }
    nu = nushell()
    flags = ("--no-config-file", "--no-std-lib", "--error-style", "plain", "--stdin")
    argv = (nu, *flags, str(script))
    at_once, alive = 2 * len(os.sched_getaffinity(0)), 0
    began = time.perf_counter()
    for number in range(processes):
        if alive == at_once:
            os.waitpid(-1, 0)
            alive -= 1
        spawn(argv, environment, given(folder, number))
        alive += 1
    while alive:
        os.waitpid(-1, 0)
        alive -= 1
    return processes / (time.perf_counter() - began)


def given(folder: Path, number: int) -> str:
    order = {**_ORDER, "order": f"bare-{number}"}
    step = {"idempotency_key": str(number), "node": "reserve-stock", "attempt": 1}
    place = folder / f"{number}.json"
    place.write_text(json.dumps({"event": {"data": order}, "inputs": {}, "step": step}))
    return str(place)


def spawn(argv: Sequence[str], environment: dict[str, str], stdin: str) -> None:
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    os.posix_spawn(argv[0], argv, environment, file_actions=streams)


def nushell() -> str:
    below = sorted((REPOSITORY / "node_modules" / "@nushell").glob("*/bin/nu"))
    return str(below[0]) if below else shutil.which("nu") or "nu"


if __name__ == "__main__":
    main()
