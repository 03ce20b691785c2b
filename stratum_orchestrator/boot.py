"""The start, in its fixed order; the one module that knows which adapter is behind a port."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import NoReturn

import anyio
import msgspec

from platform_nats import control, server, streams
from platform_nats.announcer import Announcer
from platform_nats.connection import Connection, ConnectionSettings, connect
from platform_nats.consumer import Consumer
from platform_nats.credit import Credit
from platform_nats.envelope import Limits
from platform_nats.lookup import stored_ms
from platform_nats.permissions import User
from platform_nats.server_config import ServerSettings
from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.scripts import Nushell
from stratum_graph.diagnostics import Diagnostic
from stratum_graph.model import Plan, Principal
from stratum_orchestrator import config, crashpoints, knowledge, layout, logs, storage
from stratum_orchestrator.api import http
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.clock import WallClock
from stratum_orchestrator.config import Settings
from stratum_orchestrator.execution.nushell import LIBRARY, NushellRunner
from stratum_orchestrator.execution.orphans import end_orphans
from stratum_orchestrator.health import Health
from stratum_orchestrator.home import DAEMON, DEVELOPER, Home, read_key, token_digest
from stratum_orchestrator.release import version
from stratum_orchestrator.retention import Retention
from stratum_orchestrator.saga.attention import Watchlist
from stratum_orchestrator.saga.compensation import Compensator
from stratum_orchestrator.saga.intake import Intake, Terms
from stratum_orchestrator.saga.live import LiveRuns, live_runs
from stratum_orchestrator.saga.operations import Operations
from stratum_orchestrator.saga.pipeline import Pipeline
from stratum_orchestrator.saga.plans import Plans
from stratum_orchestrator.saga.recovery import resume
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.step import StepRunner
from stratum_orchestrator.saga.takeover import Takeover
from stratum_orchestrator.service import Service, Verdicts
from stratum_orchestrator.startup import (
    SOFTWARE,
    BadDefinitions,
    StartFailed,
    code_of,
    first,
    patiently,
    step,
)
from stratum_orchestrator.supervision import background, until_asked_to_stop
from stratum_orchestrator.telling import Ears, announcing
from stratum_state.model import PipelineRun
from stratum_state.surreal import SurrealStore
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)

_RUNS_PER_PROCESS = 4
_ONE_ATTEMPT_S = 3.0
_LAST_WRITES_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the command line asks for."""

    home: Path
    dev: bool
    """Make what is missing: keys, principals, and the shipped nodes if there are no others."""
    file: Path | None = None
    """Configuration file instead of the project's."""
    flags: Mapping[str, object] = field(default_factory=dict)
    """Dotted fields that win over everything."""
    errand: Callable[[], int] | None = None
    """What to do once, in a thread, when everything is ready."""
    once: bool = False
    """Stop after the errand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the daemon is; what `run/daemon.json` says."""

    http: str
    nats: str
    pid: int
    audience: str
    stream: str = streams.EVENTS


def run(launch: Launch) -> int:
    """Run the daemon in the foreground; the exit code. StartFailed says which step failed.

    The process should then end with `leave`.
    """
    return anyio.run(_run, launch)


def leave(code: int) -> NoReturn:
    """End the process at once: the database engine aborts when the interpreter unwinds it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _run(launch: Launch) -> int:
    outcome: list[int] = []
    failure: Exception | None = None
    try:
        await serve(launch, outcome.append)
    except* Exception as group:  # noqa: BLE001 - every end has its exit code
        failure = first(group)
    if isinstance(failure, StartFailed):
        raise failure
    if failure is not None:
        code = code_of(failure)
        trace = failure if code == SOFTWARE else None
        log.error("daemon ended", extra={"why": str(failure), "code": code}, exc_info=trace)
        return code
    return outcome[0] if outcome else 0


async def serve(launch: Launch, report: Callable[[int], None]) -> None:
    """Start everything in order and serve until asked to stop; StartFailed if a step fails."""
    boot = Boot(launch)
    with boot.whole:
        async with boot.stack as stack:
            signals = partial(until_asked_to_stop, boot.stop, boot.hurry)
            await stack.enter_async_context(background(signals))
            await boot.start()
            errand = partial(_run_errand, launch, boot.consumer, report)
            await stack.enter_async_context(background(errand))
            await boot.consumer.serve(boot.intake.handle, slots=boot.credit)
            log.info("stopping", extra={"live_runs": len(boot.live)})


async def _run_errand(
    launch: Launch, consumer: Consumer, report: Callable[[int], None]
) -> None:
    if launch.errand is None:
        return
    code = await anyio.to_thread.run_sync(launch.errand, abandon_on_cancel=True)
    if launch.once:
        report(code)
        consumer.stop()


class Boot:
    """The parts of a daemon, each made by the step that its name says."""

    settings: Settings
    store: SurrealStore
    tracker: StateTracker
    connection: Connection
    users: server.Running | None
    sources: knowledge.Sources
    rules: Rules
    runner: NushellRunner
    live: LiveRuns
    operations: Operations
    consumer: Consumer
    intake: Intake

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.stack = AsyncExitStack()
        self.whole = anyio.CancelScope()
        self.home = Home(launch.home)
        self.clock = WallClock()
        self.ears = Ears()
        self.verdicts = Verdicts()
        self.metrics = Metrics(self.clock, version=version())
        self.health = Health(self.metrics.check)
        self.credit = Credit(0)
        self.points = crashpoints.UNARMED
        self.diagnostics: tuple[Diagnostic, ...] = ()

    async def start(self) -> None:
        """Do every step; the order is that of what needs what."""
        with step("config"):
            await self._configure()
        with step("surrealdb"):
            await self._remember()
        with step("nats"):
            await self._connect()
        with step("execution"):
            await self._prepare_execution()
        with step("definitions"):
            await self._load()
        with step("recovery"):
            await self._recover()
        with step("http"):
            base = await self._answer()
        with step("intake"):
            self._open_door(base)
        log.info("ready", extra={"http": base})

    def stop(self) -> None:
        """Take in nothing more and let what is under way end; in the start, give it up."""
        self.health.stopping = True
        if self.health.started:
            self.consumer.stop()
            self.store.hurry(self.settings.runs.grace + _LAST_WRITES_S)
        else:
            self.whole.cancel()

    def hurry(self) -> None:
        """Do not wait any longer."""
        if self.health.started:
            self.live.hurry()
            self.store.hurry(0)

    async def _configure(self) -> None:
        environment = config.environment()
        loaded = await config.load(
            self.home.project, environment, self._launch.flags, self._launch.file
        )
        self.settings = loaded.settings
        logs.start(self.settings.log.level, self.settings.log.format)
        if deadly := environment.get(crashpoints.VARIABLE):
            self.points = crashpoints.armed(deadly)
            log.warning("will kill itself at a crash point", extra={"point": deadly})
        self.home.prepare()
        if os.geteuid() == 0:
            log.warning("running as root: steps of one stage can read each other's environment")

    async def _remember(self) -> None:
        place = self.settings.surrealdb
        url = storage.database_url(self.settings, self.home)
        opening = partial(storage.opening, self.settings, self.home)
        self.store = await patiently(
            lambda: self.stack.enter_async_context(opening()),
            self.settings.instance.patience if place.url else 0,
        )
        await self.stack.enter_async_context(background(self.store.failure))
        self.ears.listeners += [self.metrics.observe, self.verdicts.observe]
        self.tracker = StateTracker(
            self.store, self.ears, self.metrics.wrote, self.points.recorded
        )
        self.points.passed("store.opened")
        self.health.watch("surrealdb", lambda: (self.store.available, url))

    async def _connect(self) -> None:
        nats = self.settings.nats
        key = self.home.key(DAEMON, make=True)
        if nats.seed_file:
            key = read_key(self.home.project / nats.seed_file)
        self.users, url = None, nats.url
        if not url:
            where = ServerSettings(port=nats.port or -1)
            users = [User.daemon(key.public)]
            starting = server.serve(self.home.broker, users, where)
            self.users = await self.stack.enter_async_context(starting)
            await self.stack.enter_async_context(background(self.users.watch))
            await self.stack.enter_async_context(background(self.users.examine))
            url = self.users.url
        patience_s = max(self.settings.instance.patience, _ONE_ATTEMPT_S)
        who = ConnectionSettings(
            url=url,
            seed=key.seed(),
            name=f"stratum/{self.settings.instance.name}",
            first_connect_s=patience_s,
        )
        self.connection = await self.stack.enter_async_context(connect(who))
        wanted = streams.StreamSettings(
            subjects=nats.subjects,
            duplicate_window_s=nats.duplicate_window,
            message_bytes=nats.event_size,
            ack_wait_s=nats.ack_wait,
        )
        await streams.ensure(self.connection.jetstream, wanted, within_s=patience_s)
        announcer = Announcer(self.connection)
        await self.stack.enter_async_context(background(announcer.run))
        self.ears.listeners.append(announcing(announcer.announce))
        self.points.passed("broker.connected")
        self.health.watch("nats", lambda: self._reach(url))

    def _reach(self, url: str) -> tuple[bool, str]:
        """Whether the broker is there and can work, and what is wrong otherwise."""
        trouble = self.users.trouble if self.users else ""
        return self.connection.is_up and not trouble, trouble or url

    async def _prepare_execution(self) -> None:
        wanted = layout.execution(
            self.settings,
            self.home.project,
            data=self.home.folder,
            scratch=self.home.scratch,
            token=self.home.marker(),
        )
        ended = await end_orphans(wanted.token)
        if ended:
            log.warning("ended processes of a daemon that was killed", extra={"count": ended})
        self.points.passed("orphans.ended")
        shared = self.settings.definitions.content
        place = self.home.project / shared if shared else self.home.content
        self.content = ContentStore(place, self.points.passed)
        self.runner = NushellRunner(wanted, self.content.tree, self.points.passed)
        await self.runner.scratch.clear()
        self.parallel = wanted.parallel
        self.health.watch("execution", lambda: (True, str(self.runner.containment.level)))

    async def _load(self) -> None:
        """Definitions, principals and policies together: what is in force."""
        if self._launch.dev:
            self.home.introduce_developer(self.home.key(DEVELOPER, make=True))
        self.sources = layout.sources(self.settings, self.home.project, self.home.folder)
        log.info("definitions read", extra={"folders": list(map(str, self.sources.folders))})
        compiled, found = await knowledge.load_graph(
            self.sources, self.content, Nushell(Path(self.runner.nu), LIBRARY)
        )
        named, problems = await knowledge.load_principals(self.sources, self.content)
        self.diagnostics = (*found, *problems)
        errors = [each for each in self.diagnostics if each.severity == "error"]
        if compiled.generation is None or errors:
            raise BadDefinitions(errors)
        for each in self.diagnostics:
            log.warning("definition questioned", extra={"finding": str(each)})
        self.points.passed("generation.compiled")
        policies = PolicySet.load(self.sources.policies)
        self.rules = Rules(
            generation=compiled.generation,
            principals=named,
            authorizer=knowledge.authorizer(policies, compiled.generation),
        )
        await self._let_in(named)
        self.metrics.generation(len(compiled.generation.definitions))
        generation = compiled.generation.digest
        self.points.passed("generation.in-force")
        self.health.watch("definitions", lambda: (True, generation))

    async def _let_in(self, principals: Mapping[str, Principal]) -> None:
        """Tell the server that we run who may publish."""
        if self.users is None:
            return
        daemon = User.daemon(self.connection.key.public)
        subjects = self.settings.nats.subjects
        publishers = [
            User.publisher(each.key, each.subjects or subjects)
            for each in principals.values()
            if each.active and each.key != daemon.public
        ]
        await self.users.reload([daemon, *publishers])

    async def _recover(self) -> None:
        chance = SystemRandom()
        self.plans = Plans(self.content, self._plans_again)
        pipeline = Pipeline(
            StepRunner(self.runner, self.tracker, self.clock, chance, self.points.passed),
            Compensator(self.runner, self.tracker, self.clock, chance),
            self.tracker,
            self.clock,
            limit_s=self.settings.runs.limit,
            passed=self.points.passed,
        )
        capacity = self.settings.runs.capacity or _RUNS_PER_PROCESS * self.parallel
        self.credit.set(capacity)
        opening = live_runs(
            pipeline,
            self.plans,
            self.credit,
            capacity=capacity,
            grace_s=self.settings.runs.grace,
        )
        self.live = await self.stack.enter_async_context(opening)
        silence_s = self.settings.runs.takeover
        takeover = Takeover(self.store, self.tracker, self.live, silence_s)
        await resume(self.tracker, self.live, self.points.passed)
        self.metrics.recovered(len(self.live))
        await self.stack.enter_async_context(background(takeover.watch))
        self.operations = Operations(
            operator=Principal(
                key=self.connection.key.public, name="operator", groups=("operators",)
            ),
            rules=lambda: self.rules,
            tracker=self.tracker,
            live=self.live,
            clock=self.clock,
            elsewhere=partial(control.ask_to_cancel, self.connection),
        )
        kept = self.settings.retention
        if kept.age:
            retention = Retention(self.store, self.clock, kept.age)
            look = partial(retention.watch, kept.every)
            await self.stack.enter_async_context(background(look))
        commands = partial(control.serve, self.connection, self.operations.overhear)
        await self.stack.enter_async_context(background(commands))
        self.health.watch("runs", lambda: (True, f"{len(self.live)} under way"))

    def _plans_again(self, run: PipelineRun) -> Sequence[Plan]:
        """The plans of the run's event by what is in force now."""
        data = msgspec.json.decode(run.data)
        return self.rules.generation.plans(run.subject, data)

    async def _answer(self) -> str:
        place = self.settings.http
        door = Door(
            token_sha256=token_digest(self.home.token()),
            host=place.host,
            port=place.port,
            names=place.hosts,
        )
        service = Service(
            version=version(),
            instance=self.settings.instance.name,
            started=self.clock.now_ms(),
            rules=lambda: self.rules,
            tracker=self.tracker,
            plans=self.plans,
            live=self.live,
            verdict_news=self.verdicts,
            stored_time=partial(stored_ms, self.connection),
            operations=self.operations,
            watchlist=Watchlist(
                self.tracker,
                self.live,
                self.settings.runs.limit + self.settings.runs.grace,
            ),
            look=self.health.checks,
            diagnostics=self.diagnostics,
        )
        serving = http.serve(service, self.metrics, door)
        return await self.stack.enter_async_context(serving)

    def _open_door(self, base: str) -> None:
        nats = self.settings.nats
        limits = Limits(body=nats.event_size, freshness_ms=round(nats.freshness * 1000))
        terms = Terms(audience=nats.audience, limits=limits)
        self.intake = Intake(
            lambda: self.rules,
            self.tracker,
            self.live,
            self.clock,
            terms,
            passed=self.points.passed,
        )
        self.consumer = Consumer(
            self.connection,
            streams.EVENTS,
            streams.INTAKE,
            ack_wait_s=nats.ack_wait,
            ready=lambda: self.store.available,
            passed=self.points.passed,
        )
        address = Address(
            http=base,
            nats=self.users.url if self.users else nats.url,
            pid=os.getpid(),
            audience=nats.audience,
        )
        self.home.announce(asdict(address))
        self.stack.callback(self.home.withdraw)
        self.health.started = True
        self.points.passed("door.open")
