"""Following a run until it ends: redrawn in place on a terminal, line by line in a pipe."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, Protocol

from stratum_orchestrator.cli.client import Daemon, Unreachable
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.ink import Line
from stratum_orchestrator.cli.moving import moving
from stratum_orchestrator.cli.portrait import Painter
from stratum_orchestrator.cli.screen import Screen
from stratum_orchestrator.cli.story import story
from stratum_orchestrator.client.answers import Run

_POLL_S = 20.0
_AWAY_S = 60.0  # how long a daemon may be away, to be restarted for example
_RETRY_S = 0.5


class Expired(Stop):
    """The run goes on, but nobody waits for it any more."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id} has not ended within the time",
            remedy=f"it goes on: stratum run watch {run_id}",
            code=Exit.TIMEOUT,
        )


class Deadline:
    """Until when a command waits; for ever when no seconds are given."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Seconds to the deadline, at most so many."""
        if self._end is None:
            return at_most
        return max(0.0, min(at_most, self._end - time.monotonic()))


class State(NamedTuple):
    """A run as the daemon has just told it: decoded, and as plain JSON."""

    run: Run
    raw: object


class Sink(Protocol):
    """Where the states of a run are shown."""

    def show(self, state: State) -> None: ...


def follow(
    daemon: Daemon, run_id: str, screen: Screen, deadline: Deadline, *, quiet: bool = False
) -> State:
    """Show the run until it is over, unless quiet; Expired when the deadline comes first."""
    with nullcontext(_Silence()) if quiet else _sink(screen) as sink:
        latest = None
        for latest in states(daemon, run_id, deadline):
            sink.show(latest)
    if latest is None or not latest.run.is_over:
        raise Expired(run_id)
    return latest


def states(daemon: Daemon, run_id: str, deadline: Deadline) -> Iterator[State]:
    """The run each time it has changed, until it is over or the deadline has come."""
    seen: int | None = None
    while True:
        wait_s = deadline.left(_POLL_S) if seen is not None else 0
        daemon, state = _patiently(daemon, run_id, seen, wait_s)
        if state.run.change != seen:
            yield state
        seen = state.run.change
        if state.run.is_over or not deadline.left(_POLL_S):
            return


def outcome(run: Run) -> Exit:
    """The exit code that a run's end stands for."""
    if run.status == "completed":
        return Exit.OK
    return Exit.PARTIAL if run.compensation == "partial" else Exit.FAILED


def _patiently(
    daemon: Daemon, run_id: str, seen: int | None, wait_s: float
) -> tuple[Daemon, State]:
    away = Deadline(_AWAY_S)
    while True:
        try:
            state = daemon.ask(f"/api/v1/runs/{run_id}", Run, {"seen": seen}, wait_s=wait_s)
        except Unreachable:
            if not away.left(1):
                raise
            time.sleep(_RETRY_S)
            daemon = _moved(daemon)
        else:
            return daemon, State(*state)


def _moved(daemon: Daemon) -> Daemon:
    # a daemon that was started again may listen elsewhere
    try:
        return Daemon.at(daemon.home)
    except Unreachable:
        return daemon


def _sink(screen: Screen) -> AbstractContextManager[Sink]:
    if screen.output == "jsonl":
        return nullcontext(_Records(screen))
    if not screen.for_people:
        return nullcontext(_Silence())
    return _moving(screen) if screen.terminal else nullcontext(_Lines(screen))


class _Silence:
    """Nothing is shown before the end."""

    def show(self, state: State) -> None:
        pass


class _Records:
    """The whole run, on one line, each time that it has changed."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def show(self, state: State) -> None:
        self._screen.value(state.raw)


class _Lines:
    """A line for each thing that has happened since the last look."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._told: set[str] = set()

    def show(self, state: State) -> None:
        for beat in story(state.run, unicode=self._screen.unicode, times=self._screen.times):
            if beat.key not in self._told:
                self._told.add(beat.key)
                self._screen.lines([beat.line])


class _Picture:
    """The latest state of the run, painted anew for each frame."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._run: Run | None = None

    def show(self, state: State) -> None:
        self._run = state.run

    def frame(self) -> list[Line]:
        return self.lines(spinning=True)

    def lines(self, *, spinning: bool) -> list[Line]:
        if self._run is None:
            return []
        screen = self._screen
        painter = Painter(now=screen.now(), unicode=screen.unicode, moving=spinning)
        return painter.run(self._run)


@contextmanager
def _moving(screen: Screen) -> Iterator[Sink]:
    picture = _Picture(screen)
    # the moving frames are cut to the terminal; what stays in the end is whole
    with moving(screen, picture.frame):
        yield picture
    screen.lines(picture.lines(spinning=False))
