"""The signed envelope of an event: who says what, to which deployment, and when.

Consumers cannot learn from NATS who published a message, so the publisher signs it.
`docs/publishing.md` specifies the bytes and names a test vector.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from platform_nats.delivery import Delivery
from platform_nats.errors import CannotSeal, EnvelopeRefused
from platform_nats.nkey import UserKey, verify
from platform_nats.statement import (
    ALGORITHM,
    EVENT_ID,
    PUBLISHER,
    SIGNATURE,
    SIGNATURE_ALGORITHM,
    TIME,
    Statement,
    covered,
    is_covered,
    is_visible,
)

_SIGNED = (EVENT_ID, PUBLISHER, TIME, SIGNATURE_ALGORITHM)
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_PUBLIC_KEY = re.compile(r"U[A-Z2-7]{55}")
_TIME = re.compile(r"[1-9][0-9]{0,14}")
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{86}")
_LINE_BREAK = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an envelope may be at most."""

    body: int = 256 * 1024
    """Bytes of payload."""
    headers: int = 16 * 1024
    """Bytes of all header names and values."""
    freshness_ms: int = 300_000
    """Distance between the publisher's clock and the stream's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event before it is signed."""

    subject: str
    body: bytes
    event_id: str
    time_ms: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is certain about an event whose signature fits."""

    publisher: str
    """Public NKey."""
    subject: str
    event_id: str
    time_ms: int
    """When the publisher says it was, Unix milliseconds."""
    signature: str
    """As it came: 86 characters of base64url."""
    headers: Mapping[str, str]
    """The signed ones, names in lower case. No other header is to be believed."""


def seal(key: UserKey, audience: str, event: Outgoing) -> dict[str, str]:
    """Return the event's headers with the publisher's signature; CannotSeal with the reason."""
    sealed = {name: value.strip() for name, value in event.headers.items()}
    sealed[EVENT_ID] = event.event_id
    sealed[PUBLISHER] = key.public
    sealed[TIME] = str(event.time_ms)
    sealed[SIGNATURE_ALGORITHM] = ALGORITHM
    fault = _fault(sealed)
    if fault is None and _LINE_BREAK.search(audience + event.subject):
        fault = "audience or subject holds a line break"
    if fault is not None:
        raise CannotSeal(fault)
    statement = _statement(audience, event.subject, event.body, sealed)
    sealed[SIGNATURE] = _encoded(key.sign(statement.canonical()))
    return sealed


def open_envelope(
    delivery: Delivery, audience: str, known: Callable[[str], bool], limits: Limits
) -> Envelope:
    """Return what is certain about a delivered event.

    Checks from cheap to dear, each of which guards the next: size, shape of the headers,
    publisher known, signature, freshness against the time at which the stream stored it (so
    that backlog, redelivery and replay still verify). Raises EnvelopeRefused.
    """
    headers = delivery.headers
    _check_size(delivery, limits)
    signature = _check_shape(headers)
    publisher = headers[PUBLISHER]
    if not known(publisher):
        reason = f"no principal has the key {publisher}; add it to the principals to trust it"
        raise EnvelopeRefused("unknown-publisher", reason)
    statement = _statement(audience, delivery.subject, delivery.body, headers)
    if not verify(publisher, statement.canonical(), signature):
        reason = (
            f"the signature of {publisher} does not fit; subject, payload, signed headers and "
            f"audience ({audience!r} here) must reach us as they were signed"
        )
        raise EnvelopeRefused("bad-signature", reason)
    _check_freshness(int(statement.time_ms), delivery.stored_ms, limits)
    return Envelope(
        publisher=publisher,
        subject=delivery.subject,
        event_id=statement.event_id,
        time_ms=int(statement.time_ms),
        signature=headers[SIGNATURE],
        headers=statement.covered,
    )


def _statement(
    audience: str, subject: str, body: bytes, headers: Mapping[str, str]
) -> Statement:
    return Statement(
        audience=audience,
        publisher=headers[PUBLISHER],
        subject=subject,
        event_id=headers[EVENT_ID],
        time_ms=headers[TIME],
        body=body,
        covered=covered(headers),
    )


def _check_size(delivery: Delivery, limits: Limits) -> None:
    if len(delivery.body) > limits.body:
        reason = (
            f"the payload has {len(delivery.body)} bytes, {limits.body} are allowed; "
            "publish a reference to large data instead"
        )
        raise EnvelopeRefused("too-large", reason)
    size = sum(len(name) + len(value) for name, value in delivery.headers.items())
    if size > limits.headers:
        reason = f"the headers have {size} bytes, {limits.headers} are allowed; shorten them"
        raise EnvelopeRefused("too-large", reason)


def _check_shape(headers: Mapping[str, str]) -> bytes:
    """Return the decoded signature when all that is to be read has the right form."""
    missing = [name for name in (*_SIGNED, SIGNATURE) if name not in headers]
    if missing:
        reason = f"header {missing[0]} is missing; sign the event as docs/publishing.md says"
        raise EnvelopeRefused("unsigned", reason)
    fault = _fault(headers)
    if fault is not None:
        raise EnvelopeRefused("bad-header", fault)
    signature = _decoded(headers[SIGNATURE])
    if signature is None:
        reason = f"{SIGNATURE} must be 64 bytes in base64url without padding"
        raise EnvelopeRefused("bad-header", reason)
    return signature


def _check_freshness(time_ms: int, stored_ms: int, limits: Limits) -> None:
    late = stored_ms - time_ms
    if abs(late) > limits.freshness_ms:
        side = "before" if late > 0 else "after"
        reason = (
            f"it was signed {abs(late) // 1000} s {side} the stream stored it, "
            f"{limits.freshness_ms // 1000} s are allowed; set the publisher's clock, "
            "and sign at the time of publishing"
        )
        raise EnvelopeRefused("stale", reason)


def _fault(headers: Mapping[str, str]) -> str | None:
    """Say what is wrong with the form of the headers that are read, or nothing."""
    return _name_fault(headers) or _value_fault(headers) or _cloudevent_fault(headers)


def _name_fault(headers: Mapping[str, str]) -> str | None:
    names = [name.lower() for name in headers if is_covered(name)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        return f"header {min(twice)[:60]!r} is there twice, in different case; send it once"
    return None


def _value_fault(headers: Mapping[str, str]) -> str | None:
    forms = (
        (EVENT_ID, _ID, "1 to 128 visible ASCII characters without spaces"),
        (PUBLISHER, _PUBLIC_KEY, "a user's public NKey, which begins with U"),
        (TIME, _TIME, "Unix milliseconds in digits"),
        (SIGNATURE_ALGORITHM, re.compile(ALGORITHM), f"{ALGORITHM!r}, the only one there is"),
    )
    for name, form, meant in forms:
        if form.fullmatch(headers[name]) is None:
            return f"{name} is {headers[name][:60]!r}, it must be {meant}"
    for name, value in headers.items():
        if is_covered(name) and not is_visible(value):
            return f"header {name[:60]!r} must be visible ASCII; percent-encode the rest"
    return None


def _cloudevent_fault(headers: Mapping[str, str]) -> str | None:
    attributes = covered(headers)
    if attributes.get("content-type", "").lower().startswith("application/cloudevents"):
        return (
            "CloudEvents in structured mode are not accepted; use binary mode: "
            "attributes in ce-* headers, the data alone as payload"
        )
    if "ce-id" in attributes and unquote(attributes["ce-id"]) != headers[EVENT_ID]:
        return f"ce-id must be the same as {EVENT_ID}"
    return None


def _encoded(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    if _SIGNATURE.fullmatch(text) is None:
        return None
    try:
        signature = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return signature if _encoded(signature) == text else None
