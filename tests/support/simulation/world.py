"""Everything around the daemons: what outlives them, and what happens to them."""

from collections import Counter
from collections.abc import Callable
from random import Random

import anyio

from platform_nats.delivery import Delivery
from stratum_orchestrator.audit.observed import Announced, Commit, Effect
from stratum_state.memory import MemoryStore
from stratum_state.model import PipelineRun
from support import signing
from support.saga import START_MS, MemoryBlobs
from support.simulation.fate import YEARS_MS, Fate, Faults
from support.simulation.loop import Process, VirtualLoop

KINDS = (
    "broker delivers",
    "broker is answered",
    "broker has heard",
    "store read verdict",
    "store read inbox",
    "store read unfinished",
    "store read expired",
    "lane is claimed",
    "lane was claimed",
    "lane is adopted",
    "lane was adopted",
    "lane is given back",
    "plan is kept",
    "plan was kept",
    "store write begins",
    "store has committed",
    "store write ends",
    "process begins",
    "effect comes",
    "effect is there",
    "process ends",
    "process killed",
)
"""Where a daemon can be killed: before and after each call that reaches something outside."""
_ANYWHERE = ""
_SILENCE_S = 10.0
_AIMED, _UNAIMED = 0.3, 0.02  # how likely a kill is at a boundary that is meant


class Life(Process):
    """One process of the daemon, from its start to its end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.stopping = anyio.Event()
        self.gone = anyio.Event()
        """Killed, or ended by itself."""
        self.let_go: Callable[[], None] = lambda: None
        """Has the broker deliver to others what it has in hand."""
        self.last_things: dict[object, Callable[[], None]] = {}
        """What was under way and may still happen when it is killed, in the order of begins."""


class World:
    """Shared by all lives. Every call on a port passes numbered boundaries on it."""

    def __init__(self, seed: int | str, fate: Fate, faults: Faults) -> None:
        self.loop = VirtualLoop(f"turns {seed}")
        self.chance = Random(f"world {seed}")  # noqa: S311 - to be repeatable is its purpose
        self.fate = fate
        self.faults = faults
        self.store = MemoryStore(self.true_ms, signing.SIGNER)
        self.blobs = MemoryBlobs()
        self.effects: list[Effect] = []
        self.announced: list[Announced] = []
        self.commits: list[Commit] = []
        self.boundaries = 0
        self.most_in_hand = 0
        """Events, of one instance."""
        self.trace: list[str] = []
        self.seen: Counter[str] = Counter()
        """How often what is worth seeing was seen."""
        self.lives: list[Life] = []
        self._kills_left = fate.at_random
        self._target = self._aim()
        self._clock_offset = 0

    @property
    def turbulent(self) -> bool:
        return self.boundaries < self.faults.until

    def happens(self, probability: float) -> bool:
        """Draw whether a fault happens now."""
        return self.turbulent and self.chance.random() < probability

    def now_ms(self) -> int:
        """The daemons' clock on the wall, which somebody may set."""
        return self.true_ms() + self._clock_offset

    def true_ms(self) -> int:
        return START_MS + int(self.loop.time() * 1000)

    def begin(self) -> Life:
        life = Life(len(self.lives) + 1)
        self.lives.append(life)
        self.note(life, "life begins")
        return life

    def note(self, life: Life, what: str) -> None:
        self.trace.append(f"{self.loop.time():.5f} life {life.number} {what}")

    def cross(self, life: Life, kind: str, about: str) -> bool:
        """Pass a boundary; False when the daemon is dead behind it."""
        if not life.alive:
            return False
        self.boundaries += 1
        self.note(life, f"{self.boundaries} {kind} {about}")
        if self._strikes(kind):
            self.seen[f"killed at {kind}"] += 1
            self.kill(life)
            return False
        self._disturb(life)
        return True

    def kill(self, life: Life) -> None:
        """SIGKILL: nothing of it runs any more; what left it already may still arrive."""
        life.alive = False
        self.note(life, "is killed")
        if self.faults.afterlife and self.chance.random() < self.faults.afterlife:
            arriving = self.chance.randint(0, len(life.last_things))
            for last_thing in list(life.last_things.values())[:arriving]:
                self.seen["happened after the kill"] += 1
                last_thing()
        life.gone.set()

    def unfinished(self) -> list[str]:
        """The runs that are not over, oldest first."""
        runs = {each.id: each for each in self.store.history if isinstance(each, PipelineRun)}
        return sorted((each.id for each in runs.values() if not each.is_over), reverse=True)

    def pause(self, life: Life) -> None:
        """SIGSTOP, and SIGCONT much later: its processes go on meanwhile, its time runs out."""
        life.wakes = self.loop.time() + (1 + 3 * self.chance.random()) * _SILENCE_S
        self.seen["paused"] += 1
        self.note(life, f"is paused until {life.wakes:.5f}")
        life.let_go()
        for last_thing in list(life.last_things.values()):
            last_thing()

    def run_for_operator(self) -> str | None:
        """Any run on record; as often as not one that needs a person, if there is one."""
        runs = {each.id: each for each in self.store.history if isinstance(each, PipelineRun)}
        unresolved = [each for each in runs.values() if each.is_unresolved]
        chosen = self.chance.choice((unresolved, list(runs.values())))
        return self.chance.choice(chosen).id if chosen else None

    def act(self, effect: Effect) -> None:
        """Note an effect on the world outside."""
        same = (effect.run, effect.node, effect.kind)
        if any((each.run, each.node, each.kind) == same for each in self.effects):
            self.seen[f"duplicate {effect.kind}"] += 1
        self.trace.append(f"effect {effect.kind} {effect.run}/{effect.node} {effect.attempt}")
        self.effects.append(effect)

    def _strikes(self, kind: str) -> bool:
        if self.boundaries in self.fate.crashes:
            return True
        likely = {kind: _AIMED, _ANYWHERE: _UNAIMED}.get(self._target, 0.0)
        if not self._kills_left or self.chance.random() >= likely:
            return False
        self._kills_left -= 1
        self._target = self._aim()
        return True

    def _aim(self) -> str:
        """Where to kill next: half of the time at a kind of place, which may be a rare one."""
        return self.chance.choice((self.chance.choice(KINDS), _ANYWHERE))

    def _disturb(self, life: Life) -> None:
        if self.happens(self.faults.clock_jumps):
            self._clock_offset = self.chance.choice((-YEARS_MS, 0, 3_600_000, YEARS_MS))
            self.seen["clock jumped"] += 1
        if self.happens(self.faults.pauses):
            self.pause(life)
        if self.happens(self.faults.stops):
            self.seen["asked to stop"] += 1
            life.stopping.set()


class Port:
    """One life's access to something outside of it."""

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life

    async def cross(self, kind: str, about: str = "") -> None:
        """Pass a boundary, or never return."""
        if not self.world.cross(self.life, kind, about):
            await self.world.loop.create_future()

    async def pass_time(self, at_most_s: float) -> None:
        await anyio.sleep(self.world.chance.random() * at_most_s)


def named(delivery: Delivery) -> str:
    return f"{delivery.sequence} {delivery.subject}"
