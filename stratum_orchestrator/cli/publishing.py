"""One event on its way out: read, checked, signed, stored."""

import sys
from pathlib import Path

import anyio

from platform_nats import errors
from platform_nats.nkey import UserKey
from platform_nats.publisher import Receipt, publisher
from stratum_orchestrator import strict_json
from stratum_orchestrator.cli.exits import Exit, Stop
from stratum_orchestrator.cli.reading import Address

MAX_EVENT = 8 << 20
"""Bytes that are read at all; the daemon's own limit is lower and told by its verdict."""
_CODES: dict[type[errors.TransportError], Exit] = {
    errors.BadSubject: Exit.USAGE,
    errors.CannotSeal: Exit.USAGE,
    errors.NoServer: Exit.UNAVAILABLE,
    errors.ConnectionLost: Exit.UNAVAILABLE,
    errors.NotPublished: Exit.UNAVAILABLE,
    errors.NotAuthorized: Exit.PERMISSION,
    errors.NotPermitted: Exit.REFUSED,
    errors.DuplicateId: Exit.REFUSED,
}


class BadData(Stop):
    """What was given as the event's data is not what it has to be."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(
            f"{source} {why}",
            remedy="give JSON, @FILE or - for standard input",
            code=Exit.USAGE,
        )


def data(given: str) -> bytes:
    """The event's payload: JSON text, `@FILE`, or `-` for stdin. BadData when it is none."""
    source, payload = _read(given)
    if len(payload) > MAX_EVENT:
        raise BadData(source, f"is larger than {MAX_EVENT} bytes")
    try:
        strict_json.decode(payload, safe_integers=True)
    except strict_json.NotStrictJson as problem:
        raise BadData(source, problem.reason) from None
    return payload


def publish(
    address: Address, key: UserKey, subject: str, payload: bytes, event_id: str | None
) -> Receipt:
    """Sign the event and wait until it is stored; Stop says what stands in its way."""

    async def stored() -> Receipt:
        async with publisher(address.nats, key.seed(), address.audience) as out:
            return await out.publish(subject, payload, event_id=event_id)

    try:
        return anyio.run(stored)
    except errors.TransportError as error:
        raise Stop(str(error), code=_CODES.get(type(error), Exit.FAILED)) from None


def _read(given: str) -> tuple[str, bytes]:
    if given == "-":
        return "standard input", sys.stdin.buffer.read(MAX_EVENT + 1)
    if not given.startswith("@"):
        return "--data", given.encode("utf-8", "surrogateescape")
    file = Path(given[1:])
    try:
        with file.open("rb") as opened:
            return str(file), opened.read(MAX_EVENT + 1)
    except OSError as error:
        raise BadData(str(file), f"cannot be read: {error.strerror}") from None
