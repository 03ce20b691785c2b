"""A thousand node files: the first load, one changed file, and fifty reloads under load.

In the middle of those, one of the files is broken, and mended again.

Beside them, in the same run, the way that starts one process for each file: the same jailed
worker, once for each of a sample, and what that comes to for all of them. Times are from the
write of the file to the moment at which the next event would be judged by it; the pause in
which a burst of changes is let end is part of them.

    python bench/definitions.py [--files 1000] [--sample 40] [--reloads 50]
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from platform_nats.publisher import publisher
from stratum_graph.definitions import workers
from support import daemon as daemons
from support.daemon import Daemon, running
from support.definitions import source
from support.http import ask
from support.vitals import Vitals, vitals

_EACH = 10  # nodes of a pipeline
_IDLE = 25  # changes while nothing else happens
_NODE = """let {{ schema, .. }} = import "stratum.ncl" in
{{
  name = "n{number}",
  version = "1.0.{number}",
  description = "One of many, which builds a crate as the others do.",
  labels = {{ team = "core" }},
  {begins},
  produces = ["c{number}"],
  output_schemas.c{number} = schema.object {{ crate = schema.nonempty, warnings = schema.nat }},
  handler = {{ script = "run.nu", env = {{ RUST_LOG = "info" }} }},
  effect = 'pure,
  timeout = "2m",
  retry = {{ attempts = 3, delay = "500ms", factor = 2, max_delay = "10s" }},
}}
"""
_RUN = 'def main [] {{ {{ c{number}: {{ crate: "it", warnings: 0 }} }} | to json --raw }}\n'


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--files", type=int, default=1000)
    wanted.add_argument("--sample", type=int, default=40)
    wanted.add_argument("--reloads", type=int, default=50)
    options = wanted.parse_args()
    print(f"a process that never waits has {share():.0%} of a processor here now")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for number in range(options.files):
            write(project / "nodes" / f"p{number // _EACH}" / f"n{number}", number)
        anyio.run(load, project, options)
        daemons._STARTS_WITHIN_S = 600  # noqa: SLF001 - a busy machine makes it slow, not wrong
        with running(project) as daemon:
            anyio.run(one_by_one, daemon)
            anyio.run(reloads, daemon, options)


def write(folder: Path, number: int, note: str = "") -> None:
    """One node in a folder of its own; the first of each pipeline starts it."""
    pipeline, place = divmod(number, _EACH)
    begins = f'consumes = ["c{number - 1}"]'
    if place == 0:
        begins = f'trigger = {{ pipeline = "p{pipeline}", subjects = ["events.p{pipeline}"] }}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.nu").write_text(_RUN.format(number=number))
    (folder / "node.ncl").write_text(note + _NODE.format(number=number, begins=begins))


async def load(project: Path, options: argparse.Namespace) -> None:
    """The first load, against one process for each file."""
    nodes = project / "nodes"
    with tempfile.TemporaryDirectory() as store:
        loading = source(nodes, store=Path(store))
        wall, spent, _ = await timed(loading.load)
        print(f"{options.files} files, first load: {wall:.2f} s, {spent:.2f} s of processor")
        wall, _, _ = await timed(loading.load)
        print(f"looked through again, nothing changed: {wall * 1000:.0f} ms")
    small = sorted(nodes.rglob("node.ncl"))[: options.sample]
    whole, alone = workers._WORKERS, 0.0  # noqa: SLF001 - what it would be without them
    workers._WORKERS = 1  # noqa: SLF001
    processor = 0.0
    for file in small:
        with tempfile.TemporaryDirectory() as store:
            wall, spent, _ = await timed(source(file.parent, store=Path(store)).load)
            alone, processor = alone + wall, processor + spent
    workers._WORKERS = whole  # noqa: SLF001
    scale = options.files / len(small)
    print(
        f"one process for each file, from {len(small)} of them: {alone * scale:.1f} s one by "
        f"one, {processor * scale:.1f} s of processor"
    )


def share(job_s: float = 1.0) -> float:
    """How much of a processor this process gets while it wants one whole."""
    began, before = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < job_s:
        pass
    return (time.process_time() - before) / (time.perf_counter() - began)


async def timed(do):  # noqa: ANN001, ANN201 - any coroutine function
    """Seconds on the clock, seconds of processor with those of children, and what it gave."""
    began, before = time.perf_counter(), processor_s()
    given = await do()
    return time.perf_counter() - began, processor_s() - before, given


def processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def one_by_one(daemon: Daemon) -> None:
    """One changed file after the other, and nothing else."""
    await change(daemon, range(10))
    before = vitals(daemon.pid)
    idle = await change(daemon, range(10, 10 + _IDLE))
    after = vitals(daemon.pid)
    spent = used_s(after) - used_s(before)
    print(
        f"one changed file is live after: median {median(idle) * 1000:.0f} ms, "
        f"{spent / len(idle) * 1000:.0f} ms of processor; memory over {_IDLE} of them: "
        f"{(after.rss - before.rss) / (1 << 20):+.1f} MiB"
    )


async def reloads(daemon: Daemon, options: argparse.Namespace) -> None:
    """Likewise while events come in, with a broken file in between."""
    seed = (daemon.home / "keys" / "developer.nk").read_text().strip()
    sequences: list[int] = []
    async with publisher(str(daemon.address["nats"]), seed, "stratum") as events:
        over = anyio.Event()

        async def publish() -> None:
            while not over.is_set():
                receipt = await events.publish("events.p0", {"n": len(sequences)})
                sequences.append(receipt.sequence)
                await anyio.sleep(0.2)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(publish)
            half = options.reloads // 2
            await change(daemon, range(100, 100 + half))
            await misfortune(daemon)
            before = vitals(daemon.pid)
            busy = await change(daemon, range(100 + half, 100 + options.reloads))
            after = vitals(daemon.pid)
            over.set()
    lost = [each for each in sequences if not await accepted(daemon, each)]
    print(
        f"{options.reloads} reloads and a broken file while {len(sequences)} events came in: "
        f"{len(lost)} lost, median {median(busy) * 1000:.0f} ms"
    )
    print(
        f"memory over the second half: {(after.rss - before.rss) / (1 << 20):+.1f} MiB of "
        f"{before.rss / (1 << 20):.0f}, threads {after.threads - before.threads:+d}, "
        f"descriptors {after.descriptors - before.descriptors:+d}"
    )


async def change(daemon: Daemon, turns: Sequence[int]) -> list[float]:
    """Change a node so many times; how long each took to be live."""
    place = daemon.project / "nodes" / "p1" / "n15"
    took = []
    for turn in turns:
        text = (place / "run.nu").read_text()
        was = reload_time(daemon)
        began = time.time()
        (place / "run.nu").write_text(f"{text.rstrip()} # {turn}\n")
        while (live := reload_time(daemon)) == was:  # noqa: ASYNC110 - in another process
            await anyio.sleep(0.1)  # the daemon says when it was, and asking costs it something
        took.append(live - began)
    return took


def used_s(seen: Vitals) -> float:
    return seen.cpu_s + seen.children_cpu_s


async def misfortune(daemon: Daemon) -> None:
    """Break a file until that is noticed, and for a second; then mend it."""
    file = daemon.project / "nodes" / "p2" / "n25" / "node.ncl"
    sound, refused = file.read_text(), 'stratum_reload_total{outcome="refused"} '
    was, before = metric(daemon, refused), reload_time(daemon)
    file.write_text(sound.replace("effect", "efect"))
    while metric(daemon, refused) == was:  # noqa: ASYNC110 - in another process
        await anyio.sleep(0.01)
    await anyio.sleep(1)
    file.write_text(f"# mended\n{sound}".replace("1.0.25", "1.1.0"))
    while reload_time(daemon) == before:  # noqa: ASYNC110
        await anyio.sleep(0.01)


def reload_time(daemon: Daemon) -> float:
    """When the generation in force took over, by the daemon's clock: this machine's."""
    return metric(daemon, "stratum_graph_reload_timestamp_seconds ")


def metric(daemon: Daemon, name: str) -> float:
    """What the daemon counts under the name; 0 when it has not counted yet."""
    import urllib.request  # noqa: PLC0415 - only here

    address = f"{daemon.address['http']}/metrics"
    with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - loopback
        lines = answer.read().decode().splitlines()
    return next((float(x.removeprefix(name)) for x in lines if x.startswith(name)), 0)


async def accepted(daemon: Daemon, sequence: int) -> bool:
    path = f"/api/v1/verdicts/{sequence}?wait=20"
    return (await anyio.to_thread.run_sync(ask, daemon, path))["kind"] == "accepted"


if __name__ == "__main__":
    main()
