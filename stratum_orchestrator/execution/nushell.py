"""The adapter behind the `Runner` port: a command becomes a Nushell process and comes back."""
# ruff: noqa: TRY003 - the message is all that the raised errors consist of

import logging
import math
import os
import random
import resource
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

from anyio import Semaphore, current_time, sleep
from anyio.lowlevel import checkpoint_if_cancelled

from stratum_graph.errors import GraphError
from stratum_graph.model import Limits, Plan
from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.execution.binary import find
from stratum_orchestrator.execution.containment import Containment, Fence
from stratum_orchestrator.execution.environment import check, environment
from stratum_orchestrator.execution.errors import CannotStart, Shortage, starting
from stratum_orchestrator.execution.marks import RLIMIT_LOCKS, Mark, Marks
from stratum_orchestrator.execution.process import Task, carry
from stratum_orchestrator.execution.reach import Reach
from stratum_orchestrator.execution.redaction import Redactor
from stratum_orchestrator.execution.scratch import Scratch
from stratum_orchestrator.execution.settings import ExecutionSettings
from stratum_orchestrator.execution.spawn import Program
from stratum_orchestrator.execution.strays import adopt
from stratum_orchestrator.execution.verdict import STDERR_KEPT, judge
from stratum_orchestrator.logs import Veil
from stratum_orchestrator.ports import Command, Ended, Equip, Failure, Kind, as_it_is

LIBRARY = Path(__file__).parent / "lib"
"""Our Nushell module: `use stratum.nu *`."""
_STARTS_AT_A_TIME = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_PATHS = 4096  # trees and scripts in use, by and large
_POINTS = {Kind.DO: "step", Kind.UNDO: "compensation"}


log = logging.getLogger(__name__)


class NushellRunner:
    """Runs steps, as many at a time as the settings allow, first come first served."""

    def __init__(
        self,
        settings: ExecutionSettings,
        trees: Callable[[str], Path],
        passed: Passed = UNARMED.passed,
        veil: Veil | None = None,
    ) -> None:
        """Check this machine and prepare the scratch folder; blocks for some 50 ms.

        `trees` gives the folder in the content store for a digest. Makes this process the
        parent of its steps' orphans. Raises an ExecutionError when steps cannot run here.
        While a step runs, its secrets are under the veil.
        """
        self._veil = veil or Veil()
        self._settings = settings
        self._passed = passed
        self._trees = trees
        self.nu = find(settings)
        self.scratch = Scratch(settings.scratch)
        tools = (str(Path(self.nu).parent), self.scratch.shim, str(LIBRARY))
        self.containment = Containment(settings, tools)
        self._pipelines = settings.data.resolve() / "pipelines"
        self._marks = Marks(settings.token)
        self.shortage = ""
        """What the machine has nothing left of, as far as the latest start has shown."""
        self._turns = Semaphore(settings.parallel, fast_acquire=True)
        self._spawners = Semaphore(_STARTS_AT_A_TIME, fast_acquire=True)
        adopt()

    def lacks(self, plan: Plan) -> str:
        """Which containment a node of the plan asks for in vain, and what would help."""
        for planned in plan.nodes:
            node = planned.definition.node
            if missing := self.containment.missing(node.handler.containment):
                return f"node {node.name}: {missing}"
        return ""

    async def run(self, command: Command, equip: Equip = as_it_is) -> Ended:
        """Return how the command ended; its time starts when its turn has come.

        Background processes of a script are ended half a second after it, at the latest.
        """
        await checkpoint_if_cancelled()  # a free turn is taken without one
        async with self._turns:
            command = await equip(command)
            try:
                check(command)
                redactor = Redactor(command.secrets)
                with self._veil.over(redactor.text):
                    return await self._guarded(command, redactor)
            except CannotStart as error:
                return _never_started(str(error))

    async def _guarded(self, command: Command, redactor: Redactor) -> Ended:
        try:
            return await self._patiently(command, redactor)
        except CannotStart as error:
            return _never_started(redactor.text(str(error)))

    async def _patiently(self, command: Command, redactor: Redactor) -> Ended:
        """Wait, for a while and in our turn, for a machine that has nothing left just now."""
        give_up = current_time() + self._settings.shortage_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await self._run(command, redactor)
            except Shortage as error:
                if not self.shortage:
                    log.warning("steps wait for the machine", extra={"why": str(error)})
                self.shortage = str(error)
                if current_time() + pause > give_up:
                    raise
            await sleep(pause * (0.5 + random.random()))  # noqa: S311 - jitter
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _begun(self, command: Command, point: str) -> None:
        self.shortage = ""
        self._passed(f"{_POINTS[command.kind]}.{point}")

    async def _run(self, command: Command, redactor: Redactor) -> Ended:
        tree = self._tree(command.tree)
        script = _script(tree, command.script)
        step = f"{command.run}/{command.node}/{command.kind.value}/{command.attempt}"
        async with self.scratch.folder() as scratch:
            reach = Reach(tree=tree, scratch=scratch, data=self._data(command.pipeline))
            fence = self.containment.fence(command, reach)
            with self._marks.mark(step) as mark:
                program = self._program(command, script, reach, mark, fence)
                task = Task(
                    program=program,
                    stdin=command.stdin,
                    output=command.limits.output,
                    stderr=STDERR_KEPT + 1 + redactor.margin,
                    timeout_s=command.timeout_s,
                    grace_s=self._settings.grace_s,
                    stray=lambda pid: self._marks.stray(pid, mark),
                    passed=partial(self._begun, command),
                )
                course = await carry(task, self._spawners)
        return judge(command, course, fence.told, redactor)

    def _program(
        self, command: Command, script: str, reach: Reach, mark: Mark, fence: Fence
    ) -> Program:
        path = (self.scratch.shim, *command.path, *self._settings.path)
        return Program(
            argv=(*fence.wrap, *self.argv(script, std_lib=command.std_lib)),
            env=environment(command, reach, path, mark.name),
            cwd=reach.scratch,
            ceilings={**_ceilings(command.limits), RLIMIT_LOCKS: mark.number},
            rules=fence.rules,
            wrapped=bool(fence.wrap),
        )

    def argv(self, script: str, *, std_lib: bool) -> tuple[str, ...]:
        """Return how Nushell is called for a script, given by its absolute path."""
        library = () if std_lib else ("--no-std-lib",)
        style = ("--error-style", "plain", "--include-path", str(LIBRARY))
        return (self.nu, "--no-config-file", *library, *style, "--stdin", script)

    def _tree(self, digest: str) -> str:
        try:
            with starting():
                return _real(str(self._trees(digest)))
        except GraphError as error:
            raise CannotStart(str(error)) from error

    def _data(self, pipeline: str) -> str:
        folder = f"{self._pipelines}/{pipeline}"
        with starting():
            if not os.path.isdir(folder):  # noqa: PTH112 - each step pays for it
                os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        return folder


def _never_started(why: str) -> Ended:
    failure = Failure(error_class="spawn", message=f"could not be started: {why}")
    return Ended(outputs=None, failure=failure)


@lru_cache(_PATHS)
def _real(path: str) -> str:
    """Resolve a path in the content store, where nothing ever changes its meaning."""
    return os.path.realpath(path)


def _script(tree: str, script: str) -> str:
    path = _real(f"{tree}/{script}")
    if not path.startswith(f"{tree}/"):
        raise CannotStart(f"the script {script} lies outside its definition's folder")
    if not os.path.isfile(path):  # noqa: PTH113
        raise CannotStart(f"the definition's folder has no file {script}")
    return path


def _ceilings(limits: Limits) -> Mapping[int, int]:
    return {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_CPU: math.ceil(limits.cpu),
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: limits.file_size,
        resource.RLIMIT_CORE: 0,
    }
