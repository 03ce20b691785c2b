"""What every step of the start is given: settings, home, clock, and who listens."""

import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from platform_nats.nkey import UserKey
from stratum_orchestrator import config, crashpoints, layout, logs, mischief, storage
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.boot.launch import Launch
from stratum_orchestrator.clock import WallClock
from stratum_orchestrator.config import Settings
from stratum_orchestrator.crashpoints import CrashPoints
from stratum_orchestrator.execution.privileges import hide
from stratum_orchestrator.health import Health
from stratum_orchestrator.home import Home
from stratum_orchestrator.logs import Veil
from stratum_orchestrator.mischief import Mischief
from stratum_orchestrator.release import version
from stratum_orchestrator.service import Verdicts
from stratum_orchestrator.supervision import background
from stratum_orchestrator.systemd import ServiceManager
from stratum_orchestrator.telling import Ears

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Lasts from the first step to the end of the daemon."""

    launch: Launch
    settings: Settings
    home: Home
    points: CrashPoints
    mischief: Mischief
    stack: AsyncExitStack
    """Everything that is to be closed, last opened first closed."""
    clock: WallClock
    metrics: Metrics
    veil: Veil
    health: Health
    manager: ServiceManager
    key: UserKey
    """The daemon's own: it connects and signs with it."""
    ears: Ears = field(default_factory=Ears)
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def access(self) -> Access:
        """Where commands keep who has access."""
        return Access.at(layout.access(self.settings, self.home.project, self.home.folder))

    async def beside(self, task: Callable[[], Coroutine[object, object, object]]) -> None:
        """Run the task until the daemon ends; its error ends the daemon."""
        await self.stack.enter_async_context(background(task))


async def configure(launch: Launch, home: Home, stack: AsyncExitStack) -> Frame:
    """Read the settings and make the home.

    Raises BadConfig, UnknownCrashPoint, BadMischief, OSError.
    """
    environment = config.environment()
    loaded = await config.load(home.project, environment, launch.flags, launch.file)
    settings = loaded.settings
    veil = logs.start(settings.log.level, settings.log.format)
    points = crashpoints.wanted(environment)
    if deadly := environment.get(crashpoints.VARIABLE):
        log.warning("will kill itself at a crash point", extra={"point": deadly})
    wicked = mischief.wanted(environment)
    if wicked != mischief.NONE:
        log.warning("makes mischief", extra={"asked": environment[mischief.VARIABLE]})
    home.prepare()
    for file in layout.open_secrets(settings, home.project):
        extra = {"file": str(file), "remedy": f"chmod 600 {file}"}
        log.warning("secret can be read by everybody on the machine", extra=extra)
    hide()
    if os.geteuid() == 0:
        log.warning("running as root: a step that gets out of its fence owns the machine")
    manager = ServiceManager(environment)
    await stack.enter_async_context(background(manager.keep_alive))
    clock = WallClock()
    metrics = Metrics(clock, version=version())
    metrics.watch_disk(home.folder)
    return Frame(
        launch=launch,
        settings=settings,
        home=home,
        points=points,
        mischief=wicked,
        stack=stack,
        clock=clock,
        metrics=metrics,
        veil=veil,
        health=Health(metrics.check),
        manager=manager,
        key=storage.key(settings, home, make=True),
    )
