"""An event loop in which time passes only when nothing else can happen.

Which of the callbacks that are ready comes next is drawn from a seed, so one seed is one
history. Every callback belongs to the process in whose context it was made; those of a process
that was killed never come, exactly as after SIGKILL.
"""

import asyncio
import heapq
from asyncio import _enter_task, _leave_task, _set_running_loop
from bisect import insort
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from itertools import count
from random import Random
from typing import Any, NamedTuple, TypeVarTuple

from anyio._backends._asyncio import _task_states

_STEP_S = 1e-5  # what one callback takes, so that no loop of them stops time
_UNWINDINGS = 1000

Ts = TypeVarTuple("Ts")


class Process:
    """Something that can be killed. Its tasks are those begun in its context."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.alive = True
        self.wakes = 0.0
        """Until then it is stopped, as by SIGSTOP: its time passes, but nothing of it runs."""


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Endless(Exception):
    """The simulated world was still at work after its last step."""


class Unwound(BaseException):
    """Thrown into coroutines that will never go on, so that none is left half-way."""


class _Turn(NamedTuple):
    """A callback that is ready. By task first: never in the order of some set of tasks."""

    task: int
    number: int
    handle: asyncio.Handle
    process: Process | None


class _Task(asyncio.Task[Any]):
    """A task with a number, by which its turns are told from others."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, number: int, **how: Any) -> None:
        self.number = number
        super().__init__(coroutine, **how)


class VirtualLoop(asyncio.AbstractEventLoop):
    """Callbacks, timers, tasks and futures; no input, no output, no threads."""

    def __init__(self, seed: int | str, *, most_steps: int = 2_000_000) -> None:
        self._chance = Random(seed)  # noqa: S311 - to be repeatable is its purpose
        self._now = 0.0
        self._ready: list[_Turn] = []
        self._timers: list[tuple[float, int, asyncio.Handle, Process | None]] = []
        self._numbers = count(1)
        self._tasks: list[_Task] = []
        self._processes: set[Process] = set()
        self._steps_left = most_steps
        self._closed = False
        self.faults: list[dict[str, Any]] = []
        """What nobody caught."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any], process: Process) -> _Task:
        """Begin a process with this as its first task."""
        context = copy_context()
        context.run(PROCESS.set, process)
        self._processes.add(process)
        return self.create_task(coroutine, context=context)

    def run_until_complete(self, future: Generator[Any, None, Any] | Any) -> Any:
        """Run the coroutine to its end, then give up whatever else was under way."""
        _set_running_loop(self)
        try:
            task = self.create_task(future)
            while not task.done():
                self._step()
            return task.result()
        finally:
            self._give_up()
            _set_running_loop(None)
            self._closed = True

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    def get_task_factory(self) -> None:
        return None

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: Context | None = None,
        **_: Any,
    ) -> _Task:
        number = next(self._numbers)
        task = _Task(coro, number=number, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._make_ready(callback, handle, _process_of(context))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        entry = (when, next(self._numbers), timer, _process_of(context))
        heapq.heappush(self._timers, entry)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to do: a cancelled timer is passed over when its time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._closed:
            self.faults.append(context)

    def _make_ready(
        self, callback: object, handle: asyncio.Handle, process: Process | None
    ) -> None:
        owner = getattr(callback, "__self__", None)
        task = owner.number if isinstance(owner, _Task) else 0
        insort(self._ready, _Turn(task, next(self._numbers), handle, process))

    def _step(self) -> None:
        if not self._ready:
            self._pass_time()
        self._wake_timers()
        self._steps_left -= 1
        if self._steps_left < 0 or not self._ready:
            raise Endless
        turn = self._ready.pop(self._chance.randrange(len(self._ready)))
        self._now += _STEP_S
        if turn.process is not None and turn.process.wakes > self._now:
            entry = (turn.process.wakes, next(self._numbers), turn.handle, turn.process)
            heapq.heappush(self._timers, entry)
        elif _is_due(turn.handle, turn.process):
            turn.handle._run()  # noqa: SLF001 - what an event loop is there for

    def _pass_time(self) -> None:
        while self._timers and not _is_due(*self._timers[0][2:]):
            heapq.heappop(self._timers)
        if self._timers:
            self._now = max(self._now, self._timers[0][0])

    def _wake_timers(self) -> None:
        while self._timers and self._timers[0][0] <= self._now:
            _, _, timer, process = heapq.heappop(self._timers)
            if _is_due(timer, process):
                self._make_ready(None, timer, process)

    def _give_up(self) -> None:
        """End every coroutine that is left, so that none speaks up when it is collected."""
        for process in self._processes:
            process.alive = False
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001
                _enter_task(self, task)
                _unwind(task.get_coro())
                _leave_task(self, task)
                _task_states.pop(task, None)  # keeps whatever it refers to, and so itself


def _process_of(context: Context | None) -> Process | None:
    return PROCESS.get() if context is None else context.get(PROCESS)


def _is_due(handle: asyncio.Handle, process: Process | None) -> bool:
    return not handle.cancelled() and (process is None or process.alive)


def _unwind(coroutine: Any) -> None:
    try:
        if getcoroutinestate(coroutine) == CORO_CREATED:
            coroutine.send(None)
        for _ in range(_UNWINDINGS):
            coroutine.throw(Unwound())
    except BaseException:  # noqa: BLE001 - it has ended, no matter how
        return
