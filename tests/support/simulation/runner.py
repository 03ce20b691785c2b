"""Scripts that do nothing but leave a note that they were there."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio
import msgspec

from stratum_orchestrator.audit.observed import Effect
from stratum_orchestrator.ports import Command, Ended, Equip, Failure, Kind, as_it_is
from support.simulation.lanes import Lanes
from support.simulation.world import Life, Port, World

_LONGEST_S = 5.0
_KILLING_S = 2.0
_ACTS_TO_THE_END = 0.5  # of those processes that are told to end before they acted
_ACTS_AND_FAILS = 0.5


@dataclass
class Script:
    """What scripts do, by name: `node`, or `node/undo`. Outlives the daemons."""

    outputs: Mapping[str, Mapping[str, object]]
    fails: frozenset[str] = frozenset()
    flaky: Mapping[str, int] = field(default_factory=dict)
    """How often each fails before it succeeds."""
    hangs: Mapping[str, int] = field(default_factory=dict)
    """How often each hangs before it does not."""
    ran: Counter[str] = field(default_factory=Counter)


class _Course(NamedTuple):
    """What one execution is going to do."""

    hangs: bool
    fails: bool
    acts: bool
    before_s: float
    after_s: float


class _Execution:
    """What a process does to the world outside, once."""

    def __init__(self, port: "SimulatedRunner", command: Command) -> None:
        self._port = port
        self._world = port.world
        self._command = command
        self._acted = False

    def act(self) -> None:
        if self._acted:
            return
        self._acted = True
        command = self._command
        if self._port.is_zombie(command.run):  # nothing but the script's own care helps
            self._world.seen["acted after it was fenced"] += 1
            return
        step = msgspec.json.decode(command.stdin)["step"]
        effect = Effect(
            run=command.run,
            node=command.node,
            kind="do" if command.kind is Kind.DO else "undo",
            attempt=command.attempt,
            key=step["idempotency_key"],
            order=len(self._world.effects) + 1,
        )
        self._world.act(effect)


class SimulatedRunner(Port):
    """Runs scripts as processes that a kill of the daemon may not reach in time."""

    def __init__(self, world: World, life: Life, script: Script, lanes: Lanes) -> None:
        super().__init__(world, life)
        self._script = script
        self._lanes = lanes

    def is_zombie(self, run: str) -> bool:
        """Whether the daemon was stopped for so long that another one carries the run."""
        return self.life.wakes > 0 and not self._lanes.owns(self.life, run)

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        command = await equip(command)
        name = command.node if command.kind is Kind.DO else f"{command.node}/undo"
        await self.cross("process begins", name)
        course, execution = self._plan(name), _Execution(self, command)
        if course.acts:
            self.life.last_things[execution] = execution.act
        try:
            ended = await self._run(name, command.timeout_s, course, execution)
        except anyio.get_cancelled_exc_class():
            self.world.seen["process cancelled"] += 1
            with anyio.CancelScope(shield=True):
                await self.pass_time(_KILLING_S)
                if course.acts and self.world.chance.random() < _ACTS_TO_THE_END:
                    execution.act()
                await self.cross("process killed", name)
            raise
        finally:
            if self.life.alive:
                self.life.last_things.pop(execution, None)
        await self.cross("process ends", name)
        return ended

    async def _run(
        self, name: str, timeout_s: float, course: _Course, execution: _Execution
    ) -> Ended:
        with anyio.move_on_after(timeout_s):
            await anyio.sleep(course.before_s)
            if course.acts:
                await self.cross("effect comes", name)
                execution.act()
                await self.cross("effect is there", name)
            await anyio.sleep(math.inf if course.hangs else course.after_s)
            if course.fails:
                return _failed("exit", f"{name} exited with 1", code=1)
            return Ended(outputs=self._script.outputs.get(name, {}), exit_code=0)
        self.world.seen["process timed out"] += 1
        return _failed("timeout", f"timed out after {timeout_s:g} s")

    def _plan(self, name: str) -> _Course:
        script, chance = self._script, self.world.chance
        turn = script.ran[name]
        script.ran[name] += 1
        hangs = turn < script.hangs.get(name, 0)
        fails = name in script.fails or turn < script.flaky.get(name, 0)
        hangs = hangs or self.world.happens(self.world.faults.step_hangs)
        fails = fails or self.world.happens(self.world.faults.step_fails)
        took, part = chance.random() * _LONGEST_S, chance.random()
        acts = not fails or chance.random() < _ACTS_AND_FAILS
        return _Course(hangs, fails, acts, took * part, took * (1 - part))


def _failed(error_class: str, message: str, code: int | None = None) -> Ended:
    failure = Failure(error_class=error_class, message=message)  # type: ignore[arg-type]
    return Ended(outputs=None, failure=failure, exit_code=code)
