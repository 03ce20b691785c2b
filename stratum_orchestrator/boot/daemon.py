"""The daemon from its first step to its exit code."""

import logging
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import NoReturn

import anyio

from stratum_orchestrator.boot.access import follow_access
from stratum_orchestrator.boot.broker import connect_broker
from stratum_orchestrator.boot.definitions import load_definitions
from stratum_orchestrator.boot.entrance import Entrance, announce, open_entrance
from stratum_orchestrator.boot.face import answer
from stratum_orchestrator.boot.frame import Frame, configure
from stratum_orchestrator.boot.launch import Launch
from stratum_orchestrator.boot.lending import prepare_lending
from stratum_orchestrator.boot.records import Records, open_records
from stratum_orchestrator.boot.work import Work, take_up_work
from stratum_orchestrator.boot.workshop import prepare_workshop
from stratum_orchestrator.home import Home
from stratum_orchestrator.startup import SOFTWARE, StartFailed, code_of, first, step
from stratum_orchestrator.supervision import background, until_asked_to_stop

log = logging.getLogger(__name__)

_LAST_WRITES_S = 5.0


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
    daemon = Daemon(launch)
    failure: Exception | None = None
    try:
        await daemon.serve()
    except* Exception as group:  # noqa: BLE001 - every end has its exit code
        failure = first(group)
    if isinstance(failure, StartFailed):
        raise failure
    if failure is not None:
        code = code_of(failure)
        trace = failure if code == SOFTWARE else None
        log.error("daemon ended", extra={"why": str(failure), "code": code}, exc_info=trace)
        return code
    return daemon.code


class Daemon:
    """Starts everything in order, serves until it is asked to stop, and lets go in reverse."""

    frame: Frame
    records: Records
    work: Work
    entrance: Entrance

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._whole = anyio.CancelScope()
        self._started = False
        self.code = 0

    async def serve(self) -> None:
        """Until asked to stop; StartFailed if a step of the start fails."""
        with self._whole:
            async with AsyncExitStack() as stack:
                signals = partial(until_asked_to_stop, self._stop, self._hurry)
                await stack.enter_async_context(background(signals))
                await self._start(stack)
                await stack.enter_async_context(background(self._run_errand))
                await self.entrance.serve()
                log.info("stopping", extra={"live_runs": len(self.work.live)})

    async def _start(self, stack: AsyncExitStack) -> None:
        """Do every step; the order is that of what needs what."""
        with step("config"):
            frame = self.frame = await configure(self._launch, Home(self._launch.home), stack)
        with step("surrealdb"):
            records = self.records = await open_records(frame)
        with step("nats"):
            broker = await connect_broker(frame)
        with step("execution"):
            workshop = await prepare_workshop(frame)
        with step("definitions"):
            in_force = await load_definitions(frame, broker, workshop, records)
            await follow_access(frame, broker, in_force, workshop)
        with step("credentials"):
            lender = await prepare_lending(frame, records)
        with step("recovery"):
            work = await take_up_work(frame, records, broker, workshop, in_force, lender)
            self.work = work
        with step("http"):
            base = await answer(frame, records, broker, in_force, work)
        with step("intake"):
            self.entrance = open_entrance(frame, records, broker, in_force, work)
            announce(frame, broker, base)
        self._open(base)

    def _open(self, base: str) -> None:
        """Say that events are taken in from now on."""
        self._started = self.frame.health.started = True
        self.frame.points.passed("door.open")
        self.frame.manager.ready(f"taking in events; {base}")
        log.info("ready", extra={"http": base})

    def _stop(self) -> None:
        """Take in nothing more and let what is under way end; in the start, give it up."""
        if not self._started:
            self._whole.cancel()
            return
        self.frame.health.stopping = True
        self.frame.manager.stopping(f"{len(self.work.live)} runs are under way")
        self.entrance.consumer.stop()
        self.records.store.hurry(self.frame.settings.runs.grace + _LAST_WRITES_S)

    def _hurry(self) -> None:
        """Do not wait any longer."""
        if self._started:
            self.work.live.hurry()
            self.records.store.hurry(0)

    async def _run_errand(self) -> None:
        if self._launch.errand is None:
            return
        code = await anyio.to_thread.run_sync(self._launch.errand, abandon_on_cancel=True)
        if self._launch.once:
            self.code = code
            self.entrance.consumer.stop()
