"""Worker processes for Nickel: who evaluates what, and which unit is to blame when one dies."""

import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from msgspec import Struct

from stratum_graph.definitions.snapshot import size
from stratum_graph.definitions.worker import Request
from stratum_graph.errors import EvaluationFailed

_WORKERS = 2
_SMALL_BATCH, _LARGE_BATCH = 4, 128
"""Units evaluated together share Nickel's start, and are redone when one of them is bad."""
_BATCHES_PER_WORKER = 2
"""A worker leaks about 1 MiB per unit; after this many batches another takes its place."""
_COMMAND = (sys.executable, "-I", "-B", str(Path(__file__).with_name("worker.py")))
_ENVIRONMENT = {"LANG": "C.UTF-8"}
_WRAPPING = 1 << 20
"""Bytes of an answer beyond its values."""

Batch = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationLimits:
    """What the evaluation of a file may use before it is stopped."""

    memory: int = 1 << 30
    """Address space of a worker, bytes."""
    cpu_s: float = 10
    """Processor time of one evaluation."""
    quiet_s: float = 20
    """Wall-clock time of one evaluation."""
    output: int = 8 << 20
    """Characters of JSON from one evaluation."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nickel's error text."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a worker had to end in the middle of a unit."""

    why: str
    settled: bool
    """Whether it would end so again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Nickel expressions by name, and the folder that they may read."""

    units: Mapping[str, str]
    jail: Path
    paths: Sequence[Path]
    """Folders in which imports are looked up."""
    limits: EvaluationLimits


async def evaluate(job: Job) -> Mapping[str, object | Failed | Stopped]:
    """Return the value of each unit, or why there is none. EvaluationFailed: workers fail."""
    crew = _Crew(job)
    async with anyio.create_task_group() as tasks:
        for _ in range(_WORKERS):
            tasks.start_soon(crew.work)
    if crew.failure:
        raise EvaluationFailed(crew.failure)
    return crew.outcomes


class _Answer(Struct):
    """One line from a worker: exactly one of these is set."""

    begin: tuple[str, ...] = ()
    values: dict[str, object] | None = None
    name: str = ""
    error: str = ""
    fatal: str = ""


@dataclass(slots=True)
class _Talk:
    """How the conversation with one worker went."""

    under_way: Batch = ()
    fatal: str = ""
    ended: Stopped | None = None


class _Crew:
    """Shares the units among workers and gathers what became of each."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._shares = _shares(tuple(job.units))
        self.outcomes: dict[str, object | Failed | Stopped] = {}
        self.failure = ""

    async def work(self) -> None:
        while self._shares and not self.failure:
            try:
                await self._finish(self._shares.pop())
            except OSError as why:
                self.failure = f"no process starts for it: {why}"

    async def _finish(self, batches: Sequence[Batch]) -> None:
        """Have every unit evaluated, with as many workers as it takes, one after the other."""
        while batches and not self.failure:
            known = len(self.outcomes)
            talk = await self._talk(batches)
            if len(talk.under_way) == 1 and talk.ended:
                self.outcomes[talk.under_way[0]] = talk.ended
            elif not talk.under_way and len(self.outcomes) == known:
                self.failure = talk.fatal or (talk.ended.why if talk.ended else "no answer")
            batches = self._left(batches, talk.under_way)

    def _left(self, batches: Sequence[Batch], suspects: Batch) -> list[Batch]:
        """What is still to do; the batch in which the worker died, one by one."""
        left: list[Batch] = []
        for batch in batches:
            rest = tuple(name for name in batch if name not in self.outcomes)
            alone = bool(set(rest) & set(suspects))
            left += [(name,) for name in rest] if alone else [rest] if rest else []
        return left

    async def _talk(self, batches: Sequence[Batch]) -> _Talk:
        talk = _Talk()
        async with await anyio.open_process(
            _COMMAND, stderr=DEVNULL, env=_ENVIRONMENT, start_new_session=True
        ) as process:
            try:
                with anyio.fail_after(self._job.limits.quiet_s):
                    await _send(process, self._request(batches))
                async for answer in self._answers(process, batches):
                    self._take(answer, talk)
                code = await process.wait()
            except (TimeoutError, anyio.DelimiterNotFound, msgspec.DecodeError) as error:
                process.kill()
                await process.wait()
                talk.ended = self._interrupted(error)
            else:
                talk.ended = self._exited(code)
        return talk

    async def _answers(
        self, process: Process, batches: Sequence[Batch]
    ) -> AsyncIterator[_Answer]:
        """Read what the worker says, bounded in time, size and number."""
        assert process.stdout  # noqa: S101 - it was opened with pipes
        limits = self._job.limits
        stream = BufferedByteReceiveStream(process.stdout)
        for _ in range(4 * sum(map(len, batches)) + 4):
            try:
                with anyio.fail_after(limits.quiet_s):
                    line = await stream.receive_until(b"\n", limits.output * 6 + _WRAPPING)
            except anyio.IncompleteRead:
                return
            yield msgspec.json.decode(line, type=_Answer)
        raise TimeoutError

    def _take(self, answer: _Answer, talk: _Talk) -> None:
        known = self._job.units.keys()
        talk.under_way = tuple(name for name in answer.begin if name in known)
        talk.fatal = answer.fatal
        if answer.values is not None:
            self.outcomes.update({k: v for k, v in answer.values.items() if k in known})
        if answer.name in known:
            self.outcomes[answer.name] = Failed(answer.error)

    def _request(self, batches: Sequence[Batch]) -> Request:
        limits = self._job.limits
        return Request(
            jail=str(self._job.jail),
            paths=[str(path) for path in self._job.paths],
            units={name: self._job.units[name] for batch in batches for name in batch},
            batches=[list(batch) for batch in batches],
            memory=limits.memory,
            cpu=limits.cpu_s,
            output=limits.output,
        )

    def _interrupted(self, error: Exception) -> Stopped:
        limits = self._job.limits
        if isinstance(error, TimeoutError):
            return Stopped(
                f"evaluation gave no answer within {limits.quiet_s:g} s", settled=False
            )
        return Stopped(f"evaluates to more than {size(limits.output)}", settled=True)

    def _exited(self, code: int) -> Stopped:
        limits = self._job.limits
        match -code:
            case signal.SIGXCPU:
                why = f"evaluation takes more than {limits.cpu_s:g} s of processor time"
            case signal.SIGSEGV:
                why = "evaluation nests too deeply"
            case signal.SIGABRT:
                why = f"evaluation needs more than {size(limits.memory)} of memory"
            case signal.SIGKILL:
                return Stopped("evaluation was killed; perhaps memory ran out", settled=False)
            case _:
                why = f"evaluation ended with exit status {code}"
        return Stopped(why, settled=True)


def _shares(names: Batch) -> list[list[Batch]]:
    """Cut the names into batches, and these into what one worker does."""
    length = max(_SMALL_BATCH, min(_LARGE_BATCH, -(-len(names) // _WORKERS)))
    batches = [names[start : start + length] for start in range(0, len(names), length)]
    share = min(_BATCHES_PER_WORKER, -(-len(batches) // _WORKERS)) or 1
    return [batches[start : start + share] for start in range(0, len(batches), share)]


async def _send(process: Process, request: Request) -> None:
    assert process.stdin  # noqa: S101 - it was opened with pipes
    # A worker that cannot start says so with its exit status.
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.send(msgspec.json.encode(request))
        await process.stdin.aclose()
