"""A daemon under mixed load and steady mischief, watched for what it does not let go."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.error import URLError

import anyio
from anyio import to_thread

from platform_nats.errors import TransportError
from platform_nats.publisher import publisher
from support.daemon import Daemon, write_node
from support.http import Answer, ask, pages
from support.ports import free_port
from support.processes import descendants
from support.vitals import Vitals, size_of, vitals

MOODS = ("fine",) * 12 + ("fails", "fails", "flaky", "hangs", "strays", "long", "long")
"""What events ask of the node `work`: to fail, to fail once, to exceed its time, ..."""
FORGETS = {
    "STRATUM_RETENTION__AGE": "20s",
    "STRATUM_RETENTION__EVERY": "5s",
    "STRATUM_RETENTION__WASTE": "8MiB",
    "STRATUM_NATS__DUPLICATE_WINDOW": "20s",
}
"""Settings of a daemon that keeps little, for not long."""
_OUTSTANDING = 24
_LOOK_S = 1.0
_CANCEL_S = 2.0
_FAULT_S = (5.0, 20.0)
_CALM_S = 90.0
"""How long everything may take to end when nothing new comes and nothing is broken any more."""
_AWAY = (URLError, OSError, TransportError, AssertionError, TimeoutError)

_WORK = """
def main [] {
  let given = $in | from json
  match $given.event.data.mood {
    "fails" => { error make --unspanned { msg: "as told" } }
    "flaky" => { if $given.step.attempt == 1 { exit 75 } }
    "hangs" => { sleep 60sec }
    "long" => { sleep 1500ms }
    "strays" => { ^sh -c "setsid sleep 60 >/dev/null 2>&1 </dev/null &" }
    _ => { }
  }
  print --stderr ("log " | fill --width 2000)
  { work: ("x" | fill --width 4000) } | to json --raw
}
"""
_UNDO = "def main [] { $in | from json | ignore }"
_JOB = 'trigger = { pipeline = "job", subjects = ["events.job"] }'
_UNDONE = 'compensate = { script = "undo.nu", timeout = "5s" }'
_NODES = {
    "prepare": (_JOB, f'timeout = "5s", {_UNDONE}'),
    "work": (
        'consumes = ["prepare"]',
        f'timeout = "3s", {_UNDONE}, retry = {{ attempts = 2, delay = "100ms" }}',
    ),
    "beside": ('consumes = ["prepare"]', f'timeout = "5s", {_UNDONE}'),
    "finish": ('consumes = ["work", "beside"]', f'timeout = "5s", {_UNDONE}'),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at the daemon."""

    at_s: float
    pid: int
    runs: int
    """How many events had been published."""
    database: int
    """Bytes."""
    vitals: Vitals


@dataclass
class Course:
    """What happened in a soak, and what was seen."""

    samples: list[Sample] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    published: int = 0
    sequences: set[int] = field(default_factory=set)
    verdicts: Counter[str] = field(default_factory=Counter)
    unjudged: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    complaints: Sequence[str] = ()
    """What the daemon itself calls stuck."""


@contextmanager
def soaked(folder: Path, chosen: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A project with the pipeline `job`, and its daemon, started with the chosen settings."""
    for name, (begins, more) in _NODES.items():
        write_node(
            folder,
            name,
            f'{begins}, produces = ["{name}"], handler.script = "run.nu", {more}',
            run=_WORK if name == "work" else "",
            undo=_UNDO,
        )
    settings = {
        "STRATUM_LOG__LEVEL": "error",
        "STRATUM_EXECUTION__GRACE": "1s",
        "STRATUM_EXECUTION__PARALLEL": "8",
        "STRATUM_NATS__PORT": str(free_port()),
        **(chosen or {}),
    }
    daemon = Daemon(folder, settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.end()


async def soak(daemon: Daemon, seconds: float, *, kill: bool, seed: int) -> Course:
    """Load, mischief and sampling for so many seconds; then calm, and the final count."""
    soaking = _Soak(daemon, Random(seed))  # noqa: S311 - has to be the same again
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(soaking.publish)
            tasks.start_soon(soaking.cancel)
            tasks.start_soon(soaking.look)
            tasks.start_soon(soaking.harm, kill)
    daemon.ensure()
    await soaking.calm()
    return soaking.course


async def wear(daemon: Daemon, seconds: float, seed: int) -> Course:
    """Load and sampling for so many seconds, and nothing else."""
    soaking = _Soak(daemon, Random(seed))  # noqa: S311 - has to be the same again
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(soaking.publish)
            tasks.start_soon(soaking.look)
    return soaking.course


class _Soak:
    """The parts of a soak, which go on side by side."""

    def __init__(self, daemon: Daemon, random: Random) -> None:
        self._daemon = daemon
        self._random = random
        self._began_s = time.monotonic()
        self._starting = anyio.Lock()
        self.course = Course()

    async def publish(self) -> None:
        """Keep some events outstanding, whatever becomes of broker and daemon."""
        while True:
            with suppress(*_AWAY):
                await self._publish()
            await anyio.sleep(0.2)

    async def _publish(self) -> None:
        seed = (self._daemon.home / "keys" / "developer.nk").read_text().strip()
        async with publisher(str(self._daemon.address["nats"]), seed, "stratum") as events:
            while True:
                for _ in range(_OUTSTANDING - await self._outstanding()):
                    data = {"mood": self._random.choice(MOODS)}
                    receipt = await events.publish("events.job", data)
                    self.course.sequences.add(receipt.sequence)
                    self.course.published += 1
                await anyio.sleep(0.1)

    async def _outstanding(self) -> int:
        """How many events have no verdict yet, or a run that is under way."""
        status = await self._ask("/api/v1/status")
        listed = (await self._ask("/api/v1/verdicts?limit=1"))["verdicts"]
        assert isinstance(listed, list)
        judged = int(listed[0]["sequence"]) if listed else 0
        return max(self.course.sequences, default=0) - judged + int(str(status["live_runs"]))

    async def cancel(self) -> None:
        """Now and then turn some run back that is under way."""
        while True:
            await anyio.sleep(_CANCEL_S)
            with suppress(*_AWAY):
                listed = (await self._ask("/api/v1/runs?status=running&limit=50"))["runs"]
                assert isinstance(listed, list)
                if listed:
                    run = self._random.choice(listed)["run"]
                    await self._ask(f"/api/v1/runs/{run}/cancel", {"reason": "soak"}, {409})
                    self.course.cancelled += 1

    async def look(self) -> None:
        """Sample the daemon every second."""
        while True:
            with suppress(OSError):
                self.course.samples.append(self._sample())
            await anyio.sleep(_LOOK_S)

    async def harm(self, kill: bool) -> None:  # noqa: FBT001 - the task group gives no names
        """Do something bad every few seconds."""
        kinds = ["broker killed", "step stopped", *(["daemon killed"] if kill else [])]
        while True:
            await anyio.sleep(self._random.uniform(*_FAULT_S))
            fault = self._random.choice(kinds)
            if fault == "daemon killed":
                self._daemon.kill()
                await to_thread.run_sync(self._daemon.start)
            elif not self._signal(fault):
                continue
            self.course.faults[fault] += 1

    def _signal(self, fault: str) -> bool:
        name, number = ("nats-server", signal.SIGKILL)
        if fault == "step stopped":
            name, number = ("nu", signal.SIGSTOP)
        found = [pid for pid in descendants(self._daemon.pid) if _name(pid) == name]
        if found:
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(found), number)
        return bool(found)

    async def calm(self) -> None:
        """Wait until nothing is under way, then count."""
        with anyio.move_on_after(_CALM_S):
            while not await self._is_done():  # noqa: ASYNC110 - another process's
                await anyio.sleep(0.5)
        course, daemon = self.course, self._daemon
        with suppress(OSError):
            course.samples.append(self._sample())
        course.verdicts = Counter((await self._verdicts()).values())
        course.unjudged = len(await self._unjudged())
        runs = await to_thread.run_sync(lambda: list(pages(daemon, "/api/v1/runs", "runs")))
        course.runs = Counter(str(each["status"]) for each in runs)
        checks = (await self._ask("/api/v1/status"))["checks"]
        assert isinstance(checks, list)
        course.complaints = [json.dumps(each) for each in checks if not each["ok"]]

    async def _is_done(self) -> bool:
        """What a killed daemon had in hand comes again later than what follows it."""
        with suppress(*_AWAY):
            return not await self._outstanding() and not await self._unjudged()
        return False

    async def _unjudged(self) -> set[int]:
        return self.course.sequences - set(await self._verdicts())

    async def _verdicts(self) -> dict[int, str]:
        """The code of every verdict by the sequence of its event."""
        found = await to_thread.run_sync(
            lambda: list(pages(self._daemon, "/api/v1/verdicts", "verdicts"))
        )
        return {int(str(each["sequence"])): str(each["code"]) for each in found}

    async def _ask(
        self, path: str, told: object = None, okay: set[int] | None = None
    ) -> Answer:
        return await to_thread.run_sync(
            lambda: ask(self._daemon, path, told, okay=okay or set()), abandon_on_cancel=True
        )

    def _sample(self) -> Sample:
        return Sample(
            at_s=time.monotonic() - self._began_s,
            pid=self._daemon.pid,
            runs=self.course.published,
            database=size_of(self._daemon.home / "db"),
            vitals=vitals(self._daemon.pid),
        )


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
