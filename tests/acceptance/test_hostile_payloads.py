"""Thousands of payloads that would do harm as code, and do none as data."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.publisher import Publisher
from support.daemon import Daemon, running, write_node
from support.http import Answer, ask, pages
from support.malice import Malice
from support.processes import descendants
from support.scripts import Bench

pytestmark = pytest.mark.acceptance

SEED, BATCH = 20_241, 50
READER = "stratum_graph/definitions/worker"
EXPECTED = {"nats-server", "nu", "printf", READER, Path("/bin/sh").resolve().name}
SETTLED = {"completed", "compensated"}
_TAKE = """
def main [] {
  let given = $in | from json
  let sums = $given.event.data.batch | each { |each| ^printf '%s' $each.text | hash sha256 }
  { taken: { sums: $sums, batch: $given.event.data.batch } } | to json --raw
}
"""
_HAND_ON = """
def main [] {
  let given = $in | from json
  print --stderr ($given.inputs.taken.batch | to json --raw)
  if $given.event.data.fails { error make {msg: $given.inputs.taken.batch.0.text} }
  { passed: ($given.inputs.taken.batch | length) } | to json --raw
}
"""
_UNDO = """
def main [] {
  let given = $in | from json
  print --stderr $given.outputs.taken.batch.0.text $given.cause
}
"""
_PEEK = """
def main [] { let path = $in | from json | get event.data.path; open --raw $path | print -e }
"""
Payload = Mapping[str, object]


def write_nodes(project: Path, traps: Path) -> None:
    reaches = f'handler = {{ script = "run.nu", write = ["{traps}"] }}'
    starts = 'trigger = { pipeline = "%s", subjects = ["events.%s"] }'
    write_node(
        project,
        "take",
        f'{starts % ("take", "take")}, produces = ["taken"], {reaches}, '
        'compensate.script = "undo.nu"',
        run=_TAKE,
        undo=_UNDO,
    )
    write_node(
        project,
        "pass-on",
        f'consumes = ["taken"], produces = ["passed"], {reaches}, effect = \'irreversible',
        run=_HAND_ON,
    )
    write_node(
        project,
        "peek",
        f"{starts % ('peek', 'peek')}, effect = 'pure, "
        'handler = { script = "run.nu", read = ["event.path"] }',
        run=_PEEK,
    )


async def publish(daemon: Daemon, batches: Sequence[Sequence[Payload]]) -> None:
    """Each batch to a pipeline that hands it on, and its first text as a path to another."""
    seed = (daemon.home / "keys" / "developer.nk").read_text().strip()
    address = str(daemon.address["nats"])
    async with connect(ConnectionSettings(url=address, seed=seed)) as connection:
        publisher = Publisher(connection, "stratum")
        for number, batch in enumerate(batches):
            event = {"number": number, "fails": number % 3 == 2, "batch": batch}
            await publisher.publish("events.take", event)
            await publisher.publish("events.peek", {"path": batch[0]["text"]})


async def all_ended(daemon: Daemon, count: int) -> list[Answer]:
    while True:
        runs = await run_sync(lambda: list(pages(daemon, "/api/v1/runs", "runs")))
        if len(runs) >= count and all(each["ended"] for each in runs):
            return runs
        await anyio.sleep(0.3)


def programs(daemon: Daemon) -> Iterator[str]:
    """What runs below the daemon, but for its own copy between fork and exec."""
    its_own = command_line(daemon.pid)
    for pid in descendants(daemon.pid):
        with suppress(OSError):
            exe = Path(f"/proc/{pid}/exe")
            program = exe.readlink().name
            said = command_line(pid) if program.startswith("python") else program
            if said not in {its_own, ""} and exe.readlink().name == program:
                yield said


def command_line(pid: int) -> str:
    """What a Python below the daemon does: reading definitions, unless something is wrong."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return READER if f"{READER}.py" in "".join(words[-2:-1]) else " ".join(words)


@asynccontextmanager
async def watched(daemon: Daemon) -> AsyncIterator[set[str]]:
    """All programs that are seen below the daemon meanwhile."""
    seen: set[str] = set()

    async def watch() -> None:
        while True:
            seen.update(programs(daemon))
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        yield seen
        tasks.cancel_scope.cancel()


def check_run(daemon: Daemon, run: Answer, batches: Sequence[Sequence[Payload]]) -> None:
    """What went in came out, unchanged, at every place where the run shows it."""
    found = ask(daemon, f"/api/v1/runs/{run['run']}")
    event = found["event"]
    assert isinstance(event, dict)
    data = event["data"]
    batch = batches[data["number"]]
    sums = [hashlib.sha256(str(each["text"]).encode()).hexdigest() for each in batch]
    assert data["batch"] == batch
    assert run["status"] == ("compensated" if data["fails"] else "completed")
    steps = found["steps"]
    assert isinstance(steps, list)
    assert steps[0]["outputs"] == {"taken": {"sums": sums, "batch": batch}}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(300, marks=pytest.mark.timeout(180)),
        pytest.param(10_000, marks=[pytest.mark.nightly, pytest.mark.timeout(2400)]),
    ],
)
async def test_hostile_payloads_start_nothing_and_change_nothing(
    tmp_path: Path, number: int
) -> None:
    traps = tmp_path / "traps"
    traps.mkdir()
    write_nodes(tmp_path, traps)
    payloads = list(Malice(traps, SEED).make(number))
    batches = [payloads[n : n + BATCH] for n in range(0, number, BATCH)]

    with running(tmp_path) as daemon:
        pid = daemon.pid
        async with watched(daemon) as seen:
            await publish(daemon, batches)
            runs = await all_ended(daemon, 2 * len(batches))
        for run in runs:
            if run["pipeline"] == "take":
                check_run(daemon, run, batches)
        shown = daemon.cli("run", "show", str(runs[0]["run"]), "--output", "table", wanted=0)
        assert (daemon.pid, daemon.stop()) == (pid, 0)

    assert list(traps.iterdir()) == []
    assert {str(run["status"]) for run in runs} <= SETTLED
    assert {"nu", "printf"} <= seen <= EXPECTED
    assert not {"\x1b", "\u202e", "\u0007", "\x9b"} & set(shown.stdout + daemon.log)
    assert "Traceback" not in daemon.log


async def test_a_script_that_takes_data_for_code_would_be_seen(tmp_path: Path) -> None:
    traps = tmp_path / "traps"
    traps.mkdir()
    bench = Bench(tmp_path)
    careless = '^sh -c $"echo (($in | from json).text)" | ignore'

    for payload in Malice(traps, SEED).make(12):
        await bench.run(careless, stdin=json.dumps(payload).encode(), write=(str(traps),))

    assert list(traps.iterdir())
