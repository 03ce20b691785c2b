"""The step `intake`: events are taken in from here on."""

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from platform_nats import streams
from platform_nats.consumer import Consumer
from platform_nats.envelope import Limits
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.work import Work
from stratum_orchestrator.saga.intake import Intake, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the daemon is; what `run/daemon.json` says."""

    http: str
    nats: str
    pid: int
    audience: str
    stream: str = streams.EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Where deliveries come in, one by one as there is room for them."""

    consumer: Consumer
    serve: Callable[[], Awaitable[None]]
    """Until the consumer is stopped."""


def open_entrance(
    frame: Frame, records: Records, broker: Broker, in_force: InForce, work: Work
) -> Entrance:
    """Make everything ready to take in events."""
    nats = frame.settings.nats
    limits = Limits(body=nats.event_size, freshness_ms=round(nats.freshness * 1000))
    intake = Intake(
        lambda: in_force.rules,
        records.tracker,
        work.live,
        frame.clock,
        Terms(audience=nats.audience, limits=limits, depth=frame.settings.runs.depth),
        editions=in_force.editions,
        passed=frame.points.passed,
    )
    consumer = Consumer(
        broker.connection,
        streams.EVENTS,
        streams.INTAKE,
        ack_wait_s=nats.ack_wait,
        ready=lambda: records.store.available,
        passed=frame.points.passed,
        loses=frame.mischief.loses,
    )
    return Entrance(
        consumer=consumer, serve=lambda: consumer.serve(intake.handle, slots=work.credit)
    )


def announce(frame: Frame, broker: Broker, base: str) -> None:
    """Leave the address where the commands find it, for as long as the daemon is there."""
    address = Address(
        http=base, nats=broker.url, pid=os.getpid(), audience=frame.settings.nats.audience
    )
    frame.home.announce(asdict(address))
    frame.stack.callback(frame.home.withdraw)
    _invite(frame, base)


def _invite(frame: Frame, base: str) -> None:
    """Tell a developer at a terminal where the page is; never a log, which others may read."""
    if frame.launch.dev and frame.launch.errand is None and sys.stdout.isatty():
        sys.stdout.write(f"\n  {base}/#token={frame.home.token()}\n\n")
        sys.stdout.flush()
