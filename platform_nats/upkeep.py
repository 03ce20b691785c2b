"""Making what is missing on the server, and changing what differs, as far as we may."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import anyio
from nats.errors import NoRespondersError, TimeoutError as NoAnswer
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from platform_nats.errors import StreamRefused

log = logging.getLogger(__name__)

_RETRY_S = 0.25
_TAKEN = 10058  # JetStream error code: the stream exists with another configuration
_AWAY = (NoRespondersError, NoAnswer, ServiceUnavailableError)
# what the server gives back for "not set"
_NOTHING: tuple[object, ...] = (None, 0, -1, False, "", [], {})
_Kept = TypeVar("_Kept")


class Configuration(Protocol):
    """What nats-py's configurations have in common."""

    def as_dict(self) -> dict[str, object]: ...


class Kept(NamedTuple):
    """How a stream was found and left."""

    is_touched: bool
    obstacle: str = ""
    """Why it is not as it should be, although it can be used."""


async def stream(jetstream: JetStreamContext, wanted: StreamConfig, forbidden_s: float) -> Kept:
    """Make the stream, or change it.

    What once forbade to be purged does so for ever: its events end by age, after so many
    seconds at least.
    """
    name = wanted.name or ""
    try:
        there = (await jetstream.stream_info(name)).config
    except NotFoundError:
        await jetstream.add_stream(wanted)
        log.info("stream created", extra={"stream": name})
        return Kept(is_touched=True)
    if there.deny_purge and not wanted.deny_purge:
        wanted = replace(wanted, deny_purge=True, max_age=forbidden_s)
    differs = difference(wanted, there)
    if not differs:
        return Kept(is_touched=False)
    try:
        await jetstream.update_stream(wanted)
    except NoAnswer:
        found = (await jetstream.stream_info(name)).config  # it is we who get no answer
        differs = difference(wanted, found)
        if not differs or not set(wanted.subjects or ()) <= set(found.subjects or ()):
            raise
        return Kept(is_touched=False, obstacle=_not_ours(name, sorted(differs)))
    log.info("stream changed", extra={"stream": name, "settings": sorted(differs)})
    return Kept(is_touched=True)


async def consumer(jetstream: JetStreamContext, of: str, wanted: ConsumerConfig) -> bool:
    """Make the consumer, or change it; whether that was necessary."""
    name = wanted.durable_name or ""
    try:
        there = (await jetstream.consumer_info(of, name)).config
    except NotFoundError:
        there = ConsumerConfig()
    differs = difference(wanted, there)
    if differs:
        await jetstream.add_consumer(of, wanted)  # creates or changes
        log.info("consumer set", extra={"consumer": name, "settings": sorted(differs)})
    return bool(differs)


def difference(wanted: Configuration, there: Configuration) -> Mapping[str, object]:
    """What is wanted and not so."""
    have = there.as_dict()
    return {
        name: value
        for name, value in wanted.as_dict().items()
        if value != have.get(name) and not (value in _NOTHING and have.get(name) in _NOTHING)
    }


async def patiently(name: str, step: Callable[[], Awaitable[_Kept]], within_s: float) -> _Kept:
    """Do the step again while the server is away, or while another instance is at the same.

    Raises StreamRefused.
    """
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


def _not_ours(name: str, differs: list[str]) -> str:
    return (
        f"the stream {name} is not as the settings want it ({', '.join(differs)}), and the "
        f"daemon's key may not change it: allow it $JS.API.STREAM.UPDATE.{name}, or change it "
        "with `nats stream edit`"
    )
