"""The streams and the consumer that Stratum needs, made and kept as configured."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio
from nats.errors import NoRespondersError, TimeoutError as NoAnswer
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from platform_nats.errors import StreamRefused

log = logging.getLogger(__name__)

EVENTS = "STRATUM_EVT"
STATUS = "STRATUM_STATUS"
DEAD_LETTERS = "STRATUM_DLQ"
INTAKE = "intake"
STATUS_PREFIX = "stratum.status"
DEAD_LETTER_PREFIX = "stratum.dlq"

_DAY_S = 86_400.0
_MIB = 1 << 20
_RETRY_S = 0.25
_WITHIN_S = 30.0
_TAKEN = 10058  # JetStream error code: the stream exists with another configuration
_AWAY = (NoRespondersError, NoAnswer, ServiceUnavailableError)
_NOTHING: tuple[object, ...] = (
    None,
    0,
    -1,
    False,
    "",
    [],
    {},
)  # what the server gives back for "not set"


class Configuration(Protocol):
    """What nats-py's configurations have in common."""

    def as_dict(self) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """What can be chosen about the streams."""

    subjects: tuple[str, ...] = ("events.>",)
    """Under which events are published."""
    replicas: int = 1
    """Copies in a cluster: 1, 3 or 5."""
    duplicate_window_s: float = 600.0
    """How long an event id is remembered; longer than an event may be old when stored."""
    message_bytes: int = 256 * 1024
    """Payload and headers of one event at most."""
    events_age_s: float = 30 * _DAY_S
    """How long events are kept for audit."""
    events_bytes: int = 2048 * _MIB
    """Room for events; a full stream refuses new ones."""
    ack_wait_s: float = 30.0
    """How long an event may be silent in an instance until another one gets it."""
    max_ack_pending: int = 256
    """Events in hand over all instances."""


async def ensure(
    jetstream: JetStreamContext, settings: StreamSettings, *, within_s: float = _WITHIN_S
) -> tuple[str, ...]:
    """Create what is missing, change what differs; return the names of what was touched.

    Any number of instances may do so at once. A server that is still starting is waited for,
    `within_s` seconds at most. Raises StreamRefused.
    """
    touched: list[str] = []
    for stream in _streams(settings):
        name = stream.name or ""
        if await _patiently(name, partial(_ensure_stream, jetstream, stream), within_s):
            touched.append(name)
    consumer = _intake(settings)
    name = f"{EVENTS}/{INTAKE}"
    if await _patiently(name, partial(_ensure_consumer, jetstream, consumer), within_s):
        touched.append(name)
    return tuple(touched)


def _streams(settings: StreamSettings) -> Sequence[StreamConfig]:
    one_copy = settings.replicas == 1
    events = StreamConfig(
        name=EVENTS,
        description="Signed events; also their audit copy",
        subjects=list(settings.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=settings.events_age_s,
        max_bytes=settings.events_bytes,
        max_msg_size=settings.message_bytes,
        duplicate_window=settings.duplicate_window_s,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
        compression=StoreCompression.S2,
        num_replicas=settings.replicas,
    )
    status = StreamConfig(
        name=STATUS,
        description="What happens in runs; the store is the truth",
        subjects=[f"{STATUS_PREFIX}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=7 * _DAY_S,
        max_bytes=1024 * _MIB,
        max_msgs_per_subject=500,
        duplicate_window=120,
        allow_direct=True,
        compression=StoreCompression.S2,
        num_replicas=settings.replicas,
        persist_mode=PersistMode.ASYNC if one_copy else None,  # lossy: fsync is not worth it
    )
    dead_letters = StreamConfig(
        name=DEAD_LETTERS,
        description="What needs a person",
        subjects=[f"{DEAD_LETTER_PREFIX}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=90 * _DAY_S,
        max_bytes=512 * _MIB,
        duplicate_window=600,
        allow_direct=True,
        num_replicas=settings.replicas,
    )
    return events, status, dead_letters


def _intake(settings: StreamSettings) -> ConsumerConfig:
    """Explicit ack without a delivery limit: restarts also count as deliveries."""
    return ConsumerConfig(
        name=INTAKE,
        durable_name=INTAKE,
        description="Shared by all instances",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.ack_wait_s,
        max_deliver=-1,
        max_ack_pending=settings.max_ack_pending,
        max_waiting=512,
    )


async def _ensure_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> bool:
    name = wanted.name or ""
    try:
        there = (await jetstream.stream_info(name)).config
    except NotFoundError:
        await jetstream.add_stream(wanted)
        log.info("stream created", extra={"stream": name})
        return True
    differs = _difference(wanted, there)
    if differs:
        await jetstream.update_stream(wanted)
        log.info("stream changed", extra={"stream": name, "settings": sorted(differs)})
    return bool(differs)


async def _ensure_consumer(jetstream: JetStreamContext, wanted: ConsumerConfig) -> bool:
    try:
        there = (await jetstream.consumer_info(EVENTS, INTAKE)).config
    except NotFoundError:
        there = ConsumerConfig()
    differs = _difference(wanted, there)
    if differs:
        await jetstream.add_consumer(EVENTS, wanted)  # creates or changes
        log.info("consumer set", extra={"consumer": INTAKE, "settings": sorted(differs)})
    return bool(differs)


def _difference(wanted: Configuration, there: Configuration) -> Mapping[str, object]:
    have = there.as_dict()
    return {
        name: value
        for name, value in wanted.as_dict().items()
        if value != have.get(name) and not (value in _NOTHING and have.get(name) in _NOTHING)
    }


async def _patiently(name: str, step: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Do the step again while the server is away, or while another instance is at the same."""
    deadline = anyio.current_time() + within_s
    while True:
        try:
            return await step()
        except _AWAY as away:
            if anyio.current_time() > deadline:
                raise StreamRefused(name, f"JetStream does not answer ({away})") from away
        except APIError as refused:
            if refused.err_code != _TAKEN or anyio.current_time() > deadline:
                raise StreamRefused(name, str(refused.description)) from refused
        await anyio.sleep(_RETRY_S)
