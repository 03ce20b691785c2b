"""Daemons begun, killed and begun again until everything is at rest; then judged."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import anyio
import nkeys

from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from platform_nats.statement import SIGNATURE
from stratum_orchestrator.audit.observed import Observed, Peak, Violation
from stratum_orchestrator.audit.oracle import check
from stratum_state.checkpoint import Checkpoint
from stratum_state.errors import Fenced, Unavailable
from stratum_state.model import Fact, Trail
from stratum_state.store import RunFilter
from support import signing
from support.simulation.broker import Stream
from support.simulation.daemon import AUDIENCE, CAPACITY, Daemon, Setting
from support.simulation.graphs import plans
from support.simulation.lanes import Lanes
from support.simulation.runner import Script
from support.simulation.world import Life, World

KEY = UserKey(
    nkeys.encode_seed(sha256(b"simulation").digest(), nkeys.PREFIX_BYTE_USER).decode()
)
STRANGER = UserKey(
    nkeys.encode_seed(sha256(b"stranger").digest(), nkeys.PREFIX_BYTE_USER).decode()
)
_LOOK_S = 1.0
_THINKS_S = 4.0
_PEOPLE = ("ada", "ben", "eve")
_ANSWERS, _DISAGREES = 0.4, 0.2
_DOWN_S = 3.0
_PATIENCE_S = 20_000.0  # more than all time-outs of all attempts together
_LIMIT_S = 3600.0
_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something published at a moment."""

    at_s: float
    subject: str
    event_id: str
    body: bytes = b'{"branch":"next"}'
    signer: UserKey | None = KEY
    """None leaves the signature away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a simulated history."""

    violations: Sequence[Violation]
    boundaries: int
    seen: Counter[str]
    trace: Sequence[str]
    facts: Sequence[Fact]
    """Everything that was recorded, in its order."""
    observed: Observed

    @property
    def digest(self) -> str:
        """The same for the same history."""
        return sha256("\n".join(self.trace).encode()).hexdigest()


class Scenario:
    """One world, its events, and the supervisor that begins the daemon again."""

    def __init__(
        self,
        world: World,
        script: Script,
        events: Sequence[Event],
        *,
        visits: Sequence[float] = (),
        instances: int = 1,
    ) -> None:
        """`visits`: when operators come, in seconds."""
        self._world = world
        self._events = events
        self._stream = Stream(world)
        self._setting = Setting(
            world=world,
            stream=self._stream,
            script=script,
            lanes=Lanes(world, embedded=instances == 1),
            publisher=KEY.public,
            limit_s=_LIMIT_S,
        )
        self._visits = visits
        self._instances = instances
        self._daemons: dict[int, Daemon] = {}
        self._to_come = 2  # the events, and the operators
        self._over = False
        self._violations: list[Violation] = []

    def play(self) -> Outcome:
        """Play it to its rest, or to the end of patience."""
        world = self._world
        observed = world.loop.run_until_complete(self._play())
        assert not world.loop.faults, world.loop.faults
        self._violations += [*check(observed), *self._check_limits(observed.trails)]
        for trail in observed.trails:
            world.seen[f"run {trail.run.compensation or trail.run.status}"] += 1
            world.seen.update(f"question {each.status}" for each in trail.checkpoints)
        return Outcome(
            violations=self._violations,
            boundaries=world.boundaries,
            seen=world.seen,
            trace=world.trace,
            facts=world.store.history,
            observed=observed,
        )

    async def _play(self) -> Observed:
        async with anyio.create_task_group() as around:
            around.start_soon(self._publish)
            around.start_soon(self._visit)
            around.start_soon(self._answer)
            for instance in range(self._instances):
                around.start_soon(self._supervise, instance)
            await self._come_to_rest()
            believed = self._beliefs()
            self._over = True
            for daemon in self._daemons.values():
                daemon.life.stopping.set()
        return await self._observe(believed)

    async def _come_to_rest(self) -> None:
        """Return when everything is done, or when patience is at its end."""
        while self._world.loop.time() < _PATIENCE_S:
            await anyio.sleep(_LOOK_S)
            answered = not self._to_come and self._stream.is_answered
            idle = all(each.is_idle for each in self._daemons.values())
            if answered and idle and not await self._world.store.unfinished():
                return
        self._violations.append(Violation("I7", "world", "it does not come to rest"))

    async def _publish(self) -> None:
        for event in sorted(self._events, key=lambda each: each.at_s):
            await anyio.sleep_until(event.at_s)
            outgoing = Outgoing(
                subject=event.subject,
                body=event.body,
                event_id=event.event_id,
                time_ms=self._world.true_ms(),
                headers={},
            )
            headers = seal(event.signer or KEY, AUDIENCE, outgoing)
            if event.signer is None:
                del headers[SIGNATURE]
            well_signed = event.signer is KEY
            self._stream.store(event.subject, event.body, headers, well_signed=well_signed)
        self._to_come -= 1

    async def _visit(self) -> None:
        """At these moments an operator wants something of some run, at some instance."""
        for moment in sorted(self._visits):
            await anyio.sleep_until(moment)
            run = self._world.run_for_operator()
            up = [each for each in self._daemons.values() if each.is_up]
            if run and up:
                daemon = self._world.chance.choice(up)
                daemon.visit(partial(self._operate, daemon, run))
        self._to_come -= 1

    async def _answer(self) -> None:
        """People look at what they are asked again and again, and say what they think."""
        world = self._world
        while not self._over:
            await anyio.sleep(_THINKS_S * (1 + world.chance.random()))
            for run in await world.store.asking(after=None, limit=_ALL):
                trail = await world.store.trail(run)
                up = [each for each in self._daemons.values() if each.is_up]
                for question in trail.open_checkpoints if trail else ():
                    if up and (world.turbulent is False or world.chance.random() < _ANSWERS):
                        daemon, who = world.chance.choice(up), world.chance.choice(_PEOPLE)
                        daemon.visit(partial(self._speak, daemon, question, who))

    async def _speak(self, daemon: Daemon, question: Checkpoint, who: str) -> None:
        agrees = not self._world.happens(_DISAGREES)
        what = "approve" if agrees else "reject"
        said = await daemon.answer(question.run, question.node, who, agrees=agrees)
        self._world.note(daemon.life, f"{who}: {what} {question.run}/{question.node}: {said}")
        self._world.seen[f"people: {what}{'' if said == 'done' else ' refused'}"] += 1

    async def _supervise(self, instance: int) -> None:
        """Begin one instance's daemon again whenever it has ended, until all is over."""
        world = self._world
        while not self._over:
            life = world.begin()
            daemon = self._daemons[instance] = Daemon(self._setting, life)
            task = world.loop.spawn(daemon.run(), life)
            task.add_done_callback(lambda _, life=life: life.gone.set())
            await life.gone.wait()
            self._judge_end(life, task)
            life.alive = False
            life.let_go()
            await anyio.sleep(world.chance.random() * _DOWN_S)

    def _judge_end(self, life: Life, task: asyncio.Task[None]) -> None:
        """A daemon may end because it was asked to, or because the store went away."""
        if not life.alive:
            return
        error = task.exception()
        self._world.note(life, f"ends {error!r}")
        if isinstance(error, BaseExceptionGroup):
            _, error = error.split((Unavailable, Fenced))
        if error is not None:
            why = f"life {life.number} ended by itself: {error!r}"
            self._violations.append(Violation("I7", "world", why))

    async def _operate(self, daemon: Daemon, run: str) -> None:
        wish, said = await daemon.operate(run)
        self._world.note(daemon.life, f"operator: {wish} {run}: {said}")
        self._world.seen[f"operator: {wish}{'' if said == 'done' else ' refused'}"] += 1

    def _beliefs(self) -> list[Trail]:
        known = [
            daemon.tracker.trail(commit.run)
            for daemon in self._daemons.values()
            for commit in self._world.commits
        ]
        return [each for each in known if each is not None]

    async def _observe(self, believed: Sequence[Trail]) -> Observed:
        store = self._world.store
        runs = await store.runs(RunFilter(), after=None, limit=_ALL)
        found = [await store.trail(each.id) for each in runs]
        trails = [each for each in found if each is not None]
        kept = {each.id: await store.evidence(each.id) for each in runs}
        return Observed(
            trails=trails,
            peaks=[
                Peak(what="events in hand", most=self._world.most_in_hand, allowed=CAPACITY)
            ],
            lasted_ms=int(self._world.loop.time() * 1000),
            journals={each.id: await store.journal(each.id) for each in runs},
            verdicts=await store.verdicts(after=None, limit=_ALL),
            plans={plan.digest: plan for plan in plans()},
            published=self._stream.published,
            effects=self._world.effects,
            settled=True,
            believed=believed,
            announced=self._world.announced,
            commits=self._world.commits,
            heads={run: each.heads for run, each in kept.items() if each is not None},
            trusted=frozenset({signing.PUBLIC}),
        )

    def _check_limits(self, trails: Sequence[Trail]) -> Iterator[Violation]:
        for run in (trail.run for trail in trails):
            late = (run.cause or "").startswith("the run did not end within")
            if late and self._world.loop.time() < _LIMIT_S:
                yield Violation("I20", run.id, f"{run.cause}, but that has not passed yet")
