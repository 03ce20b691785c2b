"""Random faults under load: kills of the daemon and of its broker, and freezes."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import anyio

from stratum_orchestrator.cli.chaos.lives import Household, Life, NoLife
from stratum_orchestrator.cli.chaos.load import Event, Load
from stratum_orchestrator.client.answers import Address
from stratum_orchestrator.crashpoints import POINTS, VARIABLE

_BROKER, _FREEZE = 0.2, 0.1
"""Shares of faults that meet the broker, or only stop the daemon for a while."""
_IN_THE_START = 0.25
"""Share of the daemon's kills that come before it is ready."""
_AT_WORK_S, _FROZEN_S, _LATE_S = 1.5, 1.0, 2.0
_PASSES_WITHIN_S = 6.0
"""How long a daemon may take, at most, to come to the point at which it dies."""
_PASSES = (1, 1, 2)
_ELSEWHERE = (
    *("takeover.", "retention.", "compaction.", "credential.", "reload.", "content.", "tree."),
    *("notice.", "run.abandoned", "compensation.waived", "verdict.refused"),
    "verdict.no-pipeline",
)
"""Points that one young instance comes to only if somebody does something besides."""
_STARTS_WITHIN_S = 60.0
_POLL_S = 0.01


@dataclass(slots=True)
class Tally:
    """What was done to the daemon, and how long it took to come back."""

    kills: int = 0
    points: Counter[str] = field(default_factory=Counter[str])
    """The kills that were at named points."""
    ends: int = 0
    """How often a daemon ended by itself, with an exit code that is to be expected."""
    broker_kills: int = 0
    freezes: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    """From a kill until events are taken in again, with what was unfinished resumed."""

    def percentile(self, share: float) -> float:
        """The recovery time that so many of all do not exceed, in seconds."""
        ordered = sorted(self.recoveries_s)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How much is to happen, and what is published meanwhile."""

    kills: int
    seconds: float | None = None
    """The storm ends when this much time has passed, too."""
    events: Callable[[random.Random], Sequence[Event]]
    """What to publish about one fault."""
    points: float = 0
    """Share of daemons that are to die at a named point, if they come to it in time."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What daemons find in their environment as long as it lasts."""
    expected: frozenset[int] = frozenset()
    """Exit codes that are no fault."""

    @property
    def is_local(self) -> bool:
        """Whether a daemon of it must not outlive it."""
        return bool(self.points or self.variables)


class Storm:
    """Hits a household again and again, as the dice fall."""

    def __init__(
        self, household: Household, load: Load, weather: Weather, dice: random.Random
    ) -> None:
        self.tally = Tally()
        self._household = household
        self._load = load
        self._weather = weather
        self._dice = dice
        self._start_s = 1.0
        self._point = ""
        """Where the daemon that lives is to die, if anywhere."""

    async def rage(self) -> Tally:
        """Hit until it is enough; return when everything that was to be published is stored."""
        async with anyio.create_task_group() as publishers:
            with anyio.move_on_after(self._weather.seconds):
                while self.tally.kills + self.tally.broker_kills < self._weather.kills:
                    for event in self._weather.events(self._dice):
                        publishers.start_soon(self._publish, event)
                    await self._strike(await self._alive())
            life = self._household.life
            if life is not None and self._weather.is_local:
                await life.kill()
            if life is None or life.is_over:
                await self._household.begin()
        return self.tally

    async def _publish(self, event: Event) -> None:
        await anyio.sleep(self._dice.uniform(0, _LATE_S))
        await self._load.publish(event)

    async def _alive(self) -> Life:
        life = self._household.life
        if life is not None and not life.is_over:
            return life
        more = dict(self._weather.variables)
        self._point = self._draw_point()
        if self._point:
            more[VARIABLE] = f"{self._point}:{self._dice.choice(_PASSES)}"
        return await self._household.begin(**more)

    def _draw_point(self) -> str:
        if not self._weather.points or self._dice.random() >= self._weather.points:
            return ""
        return self._dice.choice([each for each in POINTS if not each.startswith(_ELSEWHERE)])

    async def _strike(self, life: Life) -> None:
        if self._point:
            with anyio.move_on_after(_PASSES_WITHIN_S):
                await life.over()
                await self._bury(life)
                return
        if self._dice.random() < _IN_THE_START and self._household.address is None:
            await anyio.sleep(self._dice.uniform(0, self._start_s))
            await self._kill(life)
            return
        address = await self._ready()
        if address is None:
            await self._bury(life)
            return
        await anyio.sleep(self._dice.uniform(0, _AT_WORK_S))
        what = self._dice.random()
        if what < _BROKER:
            await self._kill_broker(life, address)
        elif what < _BROKER + _FREEZE:
            await self._freeze(life)
        else:
            await self._kill(life)

    async def _bury(self, life: Life) -> None:
        """Account for a daemon that ended by itself."""
        code = await life.over()
        if code == -signal.SIGKILL and self._point:
            self.tally.kills += 1
            self.tally.points[self._point] += 1
        elif code in self._weather.expected:
            self.tally.ends += 1
        else:
            raise NoLife(code, self._household.log)

    async def _ready(self) -> Address | None:
        was_ready = self._household.address is not None
        began = anyio.current_time()
        address = await self._household.ready()
        if address is not None and not was_ready:
            self._start_s = anyio.current_time() - began
            self.tally.recoveries_s.append(self._start_s)
        return address

    async def _kill(self, life: Life) -> None:
        life.signal(signal.SIGKILL)
        code = await life.over()
        if code != -signal.SIGKILL:
            await self._bury(life)
            return
        self.tally.kills += 1

    async def _kill_broker(self, life: Life, address: Address) -> None:
        if not life.kill_broker():
            return
        self.tally.broker_kills += 1
        began = anyio.current_time()
        with anyio.fail_after(_STARTS_WITHIN_S):
            while not life.is_over and not await _answers(address.nats):  # noqa: ASYNC110 - another process
                await anyio.sleep(_POLL_S)
        self.tally.recoveries_s.append(anyio.current_time() - began)

    async def _freeze(self, life: Life) -> None:
        life.signal(signal.SIGSTOP)
        try:
            await anyio.sleep(self._dice.uniform(0, _FROZEN_S))
        finally:
            life.signal(signal.SIGCONT)
        self.tally.freezes += 1


async def _answers(url: str) -> bool:
    where = urlsplit(url)
    try:
        stream = await anyio.connect_tcp(where.hostname or "127.0.0.1", where.port or 0)
    except OSError:
        return False
    await stream.aclose()
    return True
