"""The streams and the consumer that Stratum needs, made and kept as configured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

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

from platform_nats import upkeep

EVENTS = "STRATUM_EVT"
STATUS = "STRATUM_STATUS"
DEAD_LETTERS = "STRATUM_DLQ"
INTAKE = "intake"
STATUS_PREFIX = "stratum.status"
DEAD_LETTER_PREFIX = "stratum.dlq"

_DAY_S = 86_400.0
_MIB = 1 << 20
_STATUS_BYTES = 1024 * _MIB
_DEAD_LETTER_BYTES = 512 * _MIB
_WITHIN_S = 30.0


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
    """How long events are kept by a stream that forbids to be purged, as they once did.

    Any other keeps events until it is told to let go of those that were judged.
    """
    events_bytes: int = 2048 * _MIB
    """Room for events; a full stream refuses new ones."""
    ack_wait_s: float = 30.0
    """How long an event may be silent in an instance until another one gets it."""
    max_ack_pending: int = 256
    """Events in hand over all instances."""


class Layout(NamedTuple):
    """What was found on the server."""

    touched: tuple[str, ...]
    """The names of what was made or changed."""
    obstacles: tuple[str, ...]
    """Why something is not as the settings want it, although it can be used."""


async def ensure(
    jetstream: JetStreamContext, settings: StreamSettings, *, within_s: float = _WITHIN_S
) -> Layout:
    """Create what is missing, change what differs.

    Any number of instances may do so at once. A server that is still starting is waited for,
    `within_s` seconds at most. Raises StreamRefused.
    """
    touched: list[str] = []
    obstacles: list[str] = []
    for stream in _streams(settings):
        name = stream.name or ""
        step = partial(upkeep.stream, jetstream, stream, settings.events_age_s)
        kept = await upkeep.patiently(name, step, within_s)
        touched += [name] if kept.is_touched else []
        obstacles += [kept.obstacle] if kept.obstacle else []
    name = f"{EVENTS}/{INTAKE}"
    making = partial(upkeep.consumer, jetstream, EVENTS, _intake(settings))
    if await upkeep.patiently(name, making, within_s):
        touched.append(name)
    return Layout(tuple(touched), tuple(obstacles))


def reserved(events_bytes: int) -> int:
    """The bytes that a server sets aside for all streams."""
    return events_bytes + _STATUS_BYTES + _DEAD_LETTER_BYTES


def _streams(settings: StreamSettings) -> Sequence[StreamConfig]:
    one_copy = settings.replicas == 1
    events = StreamConfig(
        name=EVENTS,
        description="Signed events; also their audit copy",
        subjects=list(settings.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_bytes=settings.events_bytes,
        max_msg_size=settings.message_bytes,
        duplicate_window=settings.duplicate_window_s,
        deny_delete=True,  # from the front alone, and what was judged: see `reach`
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
        max_bytes=_STATUS_BYTES,
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
        max_bytes=_DEAD_LETTER_BYTES,
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
