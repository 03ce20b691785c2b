"""One life of the daemon: the real core between simulated ports, put together as in boot."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from hashlib import sha256
from random import Random

import anyio
import msgspec
from anyio.abc import TaskGroup

from stratum_graph.model import Principal
from stratum_orchestrator.audit.observed import Announced
from stratum_orchestrator.auth.nobody import NoBroker
from stratum_orchestrator.errors import Ending, Impossible
from stratum_orchestrator.saga.compensation import Compensator, last_attempts
from stratum_orchestrator.saga.deadlines import Deadlines
from stratum_orchestrator.saga.delegation import Asker
from stratum_orchestrator.saga.instruction import Wish
from stratum_orchestrator.saga.intake import Intake, Terms
from stratum_orchestrator.saga.lending import Lender
from stratum_orchestrator.saga.live import LiveRuns, live_runs
from stratum_orchestrator.saga.operations import Operations
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.recovery import resume
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.ruling import Rulings
from stratum_orchestrator.saga.step import StepRunner
from stratum_orchestrator.saga.takeover import Takeover
from stratum_orchestrator.supervision import background
from stratum_orchestrator.telling import announcing
from stratum_state.errors import Unavailable
from stratum_state.model import CompensationStatus, Trail
from stratum_state.tracker import StateTracker
from support.saga import Everyone
from support.simulation.broker import SimulatedConsumer, Stream
from support.simulation.graphs import generation
from support.simulation.lanes import TTL_S, Lanes
from support.simulation.loop import PROCESS
from support.simulation.runner import Script, SimulatedRunner
from support.simulation.store import SimulatedStore
from support.simulation.world import Life, World

AUDIENCE = "simulation"
DENIED = "denied"
_WISH = Wish(by="olga", reason="it has to be")
_OPERATOR = Principal(key="UOPERATOR", name="operator", groups=("operators",))
CAPACITY = 3
_GRACE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all lives have in common beside the world."""

    world: World
    stream: Stream
    script: Script
    lanes: Lanes
    publisher: str
    limit_s: float = 3600


def _wish(trail: Trail | None, chance: Random) -> tuple[str, str]:
    """Something that may help, and the node that it is about; now and then something else."""
    undone = last_attempts(trail.compensations).values() if trail else ()
    failed = [each.node for each in undone if each.status is CompensationStatus.FAILED]
    if trail is not None and trail.run.is_over:
        wish = chance.choice(("undo again", "undo again", "waive", "retry"))
    else:
        wish = chance.choice(("cancel", "abandon", "retry"))
    return wish, chance.choice(failed or ["nothing"])


async def _nobody(_run: str, _text: str) -> None:
    """There is no other instance that could obey."""


class SimulatedBlobs:
    """The content store as one life meets it. A dead one's writes go nowhere."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def put(self, data: bytes) -> str:
        if self._world.cross(self._life, "plan is kept", ""):
            self._world.blobs.put(data)
            self._world.cross(self._life, "plan was kept", "")
        return "sha256:" + sha256(data).hexdigest()

    def get(self, digest: str) -> bytes:
        return self._world.blobs.get(digest)

    def keeps(self, digest: str) -> bool:
        return self._world.blobs.keeps(digest)


class Daemon:
    """The parts of one life."""

    def __init__(self, setting: Setting, life: Life) -> None:
        self._setting = setting
        world = self._world = setting.world
        self.life = life
        self.consumer = SimulatedConsumer(world, life, setting.stream)
        life.let_go = self.consumer.abandon
        self._store = SimulatedStore(world, life, setting.lanes)
        self.tracker = StateTracker(self._store, announcing(self._announce))
        self.live: LiveRuns | None = None
        self.takeover: Takeover | None = None
        self._turn = anyio.Lock()
        self._visitors: TaskGroup | None = None
        self._asked = 0
        """How many people wait for what comes of their wishes."""

    @property
    def is_up(self) -> bool:
        """Whether it can be asked for something."""
        return not self.life.gone.is_set() and self._visitors is not None

    @property
    def is_idle(self) -> bool:
        """Whether it is up, will stay up, and has nothing under way."""
        at_work = self._asked or self.live is None or len(self.live)
        will_stay = not self._store.is_broken and self._store.is_owner
        return self.is_up and not at_work and will_stay

    def visit(self, want: Callable[[], Awaitable[None]]) -> None:
        """Have somebody in, who is sent away when the daemon closes."""
        assert self._visitors is not None
        self._asked += 1
        as_ours = copy_context()
        as_ours.run(PROCESS.set, self.life)
        as_ours.run(self._visitors.start_soon, self._hear, want)

    async def _hear(self, want: Callable[[], Awaitable[None]]) -> None:
        try:
            await want()
        finally:
            self._asked -= 1

    async def operate(self, run: str) -> tuple[str, str]:
        """What an operator wants of the run, and `done` or why not."""
        operations = self._operations()
        wish, node = _wish(self.tracker.trail(run), self._world.chance)
        try:
            match wish:
                case "cancel":
                    await operations.cancel(run, _WISH)
                case "abandon":
                    await operations.abandon(run, _WISH)
                case "retry":
                    await operations.retry(run, _WISH, again=True)
                case "undo again":
                    await operations.undo_again(run, node, _WISH)
                case _:
                    await operations.waive(run, node, _WISH)
        except (Ending, Impossible, Unavailable) as why:
            return wish, str(why)
        return wish, "done"

    async def answer(self, run: str, node: str, who: str, *, agrees: bool) -> str:
        """What somebody answers, and `done` or why not."""
        person = Principal(key=f"U{who.upper()}", name=who, groups=("people",))
        wish = Wish(by=who, reason="so be it", asker=Asker(principal=person))
        operations = self._operations()
        try:
            await (operations.approve if agrees else operations.reject)(run, node, wish)
        except (Ending, Impossible, Unavailable) as why:
            return str(why)
        return "done"

    def _operations(self) -> Operations:
        assert self.live is not None
        assert self.takeover is not None
        return Operations(
            operator=_OPERATOR,
            rules=self._rules,
            rulings=Rulings(self.tracker.record, self._world),
            tracker=self.tracker,
            live=self.live,
            clock=self._world,
            custody=self.takeover,
            elsewhere=_nobody,
            patience_s=TTL_S,
            turn=self._turn,
        )

    async def run(self) -> None:
        """Recover, then serve until asked to stop."""
        async with background(self._store.failure):
            await self._store.open()
            async with background(self._store.beat):
                await self._serve()
                await self._store.close()

    async def _serve(self) -> None:
        world, setting = self._world, self._setting
        runner = SimulatedRunner(world, self.life, setting.script, setting.lanes)
        chance = Random(f"jitter {self.life.number}")  # noqa: S311 - to be repeatable
        lender = Lender(NoBroker("there is no provider"), self.tracker, world)
        pipeline = Pipeline(
            StepRunner(runner, self.tracker, world, chance, lender=lender),
            Compensator(runner, self.tracker, world, chance, lender=lender),
            self.tracker,
            world,
            limit_s=setting.limit_s,
        )
        plans = Plans(SimulatedBlobs(world, self.life))
        self.consumer.set(CAPACITY)
        async with live_runs(
            pipeline, plans, self.consumer, capacity=CAPACITY, grace_s=_GRACE_S
        ) as live:
            takeover = self.takeover = Takeover(self._store, self.tracker, live, TTL_S)
            left = await resume(self.tracker, live)
            assert not left, left
            world.seen["run resumed"] += len(live)
            self.live = live
            terms = Terms(audience=AUDIENCE)
            intake = Intake(self._rules, self.tracker, live, world, terms)
            deadlines = Deadlines(
                tracker=self.tracker,
                live=live,
                clock=world,
                custody=takeover,
                turn=self._turn,
            )
            async with (
                background(takeover.watch),
                background(deadlines.watch),
                background(self._attend),
            ):
                await self.consumer.serve(intake.handle)
            world.seen["run taken over"] += takeover.taken

    async def _attend(self) -> None:
        """Let people in, until the daemon closes."""
        async with anyio.create_task_group() as visitors:
            self._visitors = visitors
            try:
                await anyio.sleep_forever()
            finally:
                self._visitors = None

    def _rules(self) -> Rules:
        key = self._setting.publisher
        return Rules(
            generation=generation(),
            principals={key: Principal(key=key, name="ada")},
            authorizer=Everyone(but=DENIED),
        )

    def _announce(self, run: str, what: str, fact: Mapping[str, object]) -> None:
        said = msgspec.json.encode([run, what, fact], order="sorted")
        identity = sha256(said).hexdigest()
        self._world.announced.append(Announced(run=run, what=what, identity=identity))
