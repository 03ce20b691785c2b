"""A project of the user's own in a storm: from its copy to the oracle's verdict."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from anyio import to_thread

from stratum_orchestrator.audit.observed import Observed, Violation
from stratum_orchestrator.cli.chaos.judgement import judge
from stratum_orchestrator.cli.chaos.lives import Household, cradle
from stratum_orchestrator.cli.chaos.load import Event, Load
from stratum_orchestrator.cli.chaos.scratch import home_of
from stratum_orchestrator.cli.chaos.storm import Storm, Tally, Weather
from stratum_orchestrator.cli.client import Daemon
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.client.answers import Verdict
from stratum_orchestrator.mischief import LOST, VARIABLE, Mischief
from stratum_orchestrator.startup import UNAVAILABLE
from stratum_state.surreal import FAILED, SLOW

_VERDICT_S = 30.0
_EVENTS = 2  # published about each fault
_DOUBLED, _LOST, _SLOW, _FAILING = 0.25, 0.15, 0.1, 0.04
_AT_POINTS = 0.5
_WINDOW_S = 0.1  # how long the stream knows an id, when events are to come twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to publish, and how much is to happen meanwhile."""

    subject: str
    data: bytes
    kills: int
    seconds: float | None
    doubles: bool
    drops: bool
    slow_store: bool
    failing_store: bool
    seed: int

    @property
    def mischief(self) -> Mischief:
        """What the daemons do to themselves."""
        return Mischief(
            lost=_LOST if self.drops else 0,
            slow=_SLOW if self.slow_store else 0,
            failing=_FAILING if self.failing_store else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a project came through its storm."""

    seed: int
    tally: Tally
    events: int
    verdicts: Mapping[str, int]
    runs: Mapping[str, int]
    lost: int
    """Attempts at steps and compensations that a daemon did not survive."""
    mischief: Mapping[str, int]
    """What the daemons' log says that they did to themselves, and how often."""
    violations: Sequence[Violation]
    waited_for: str
    """What did not come to rest in time, if anything."""


class NotOpened(Stop):
    """The event opens no run, so that nothing could be shown."""

    def __init__(self, verdict: Verdict) -> None:
        code = Exit.REFUSED if verdict.kind == "refused" else Exit.NOT_FOUND
        super().__init__(f"the event opens no run: {verdict.reason}", code=code)


async def hold(plan: Plan, project: Path, variables: Mapping[str, str]) -> Report:
    """Put the copied project through the storm; NotOpened when the event opens no run."""
    if plan.doubles:
        short = {"STRATUM_NATS__DUPLICATE_WINDOW": f"{round(_WINDOW_S * 1000)}ms"}
        variables = {**variables, **short}
    if plan.drops:
        variables = {**variables, "STRATUM_NATS__ACK_WAIT": "2s"}  # what was lost comes again
    async with cradle(variables) as born:
        household = Household(born, home_of(project), variables)
        load = Load(household)
        await household.begin_and_be_ready()
        await _show_that_it_opens(plan, household, load)
        weather = _weather(plan)
        dice = random.Random(plan.seed)  # noqa: S311 - to be repeated
        tally = await Storm(household, load, weather, dice).rage()
        found = await judge(household, load)
    return Report(
        seed=plan.seed,
        tally=tally,
        events=len(load.published),
        verdicts=Counter(str(each.code) for each in found.observed.verdicts),
        runs=_ends(found.observed),
        lost=_lost(found.observed),
        mischief=_told(household.log),
        violations=found.violations,
        waited_for=found.rest.why,
    )


def _weather(plan: Plan) -> Weather:
    asked = msgspec.json.encode(plan.mischief).decode()
    return Weather(
        kills=plan.kills,
        seconds=plan.seconds,
        events=_Publishing(plan),
        points=_AT_POINTS,
        variables={VARIABLE: asked} if plan.mischief != Mischief() else {},
        expected=frozenset({UNAVAILABLE} if plan.failing_store else ()),
    )


def _told(log: Path) -> Mapping[str, int]:
    said = log.read_text(errors="replace")
    return {each: said.count(each) for each in (LOST, SLOW, FAILED)}


class _Publishing:
    """The same event again and again, now and then one that was published before."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._before: list[Event] = []

    def __call__(self, dice: random.Random) -> Sequence[Event]:
        return [self._one(dice) for _ in range(_EVENTS)]

    def _one(self, dice: random.Random) -> Event:
        if self._plan.doubles and self._before and dice.random() < _DOUBLED:
            return dice.choice(self._before)
        number = f"chaos-{self._plan.seed}-{len(self._before)}"
        event = Event(subject=self._plan.subject, data=self._plan.data, event_id=number)
        self._before.append(event)
        return event


async def _show_that_it_opens(plan: Plan, household: Household, load: Load) -> None:
    event = Event(subject=plan.subject, data=plan.data, event_id=f"chaos-{plan.seed}-before")
    await load.publish(event)
    daemon = Daemon.at(household.home)
    path = f"/api/v1/verdicts/{load.published[0].sequence}"
    verdict, _ = await to_thread.run_sync(lambda: daemon.ask(path, Verdict, wait_s=_VERDICT_S))
    if verdict.kind != "accepted":
        raise NotOpened(verdict)


def _ends(observed: Observed) -> Mapping[str, int]:
    return Counter(
        f"{trail.run.status}{f' {how}' if (how := trail.run.compensation) else ''}"
        for trail in observed.trails
    )


def _lost(observed: Observed) -> int:
    classes = (
        each.error_class
        for trail in observed.trails
        for attempts in (trail.steps, trail.compensations)
        for each in attempts
    )
    return sum(each == "lost" for each in classes)
