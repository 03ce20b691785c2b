"""`POST /api/v1/events`: a signed event, passed on to the broker as it is.

The daemon signs for nobody. Whether the signature fits is judged where every event is judged,
and recorded as its verdict.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from aiohttp import web

from platform_nats.errors import BadSubject, DuplicateId, NotPublished, TransportError
from platform_nats.statement import EVENT_ID, SIGNATURE, is_covered, is_visible
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.guard import body
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.problem import Problem

_ALSO = frozenset({EVENT_ID.lower(), SIGNATURE.lower(), "traceparent", "tracestate"})
_MAX_HEADERS = 64


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed event, as `docs/publishing.md` specifies it."""

    subject: str
    headers: Mapping[str, str]
    data: str
    """The payload's bytes in base64."""


class Event(NamedTuple):
    """The same, decoded."""

    subject: str
    headers: Mapping[str, str]
    body: bytes


class Emission:
    """The handler, and its path."""

    def __init__(self, desk: Desk, read_s: float, once: Once) -> None:
        self._desk = desk
        self._read_s = read_s
        self._once = once

    def table(self) -> Sequence[web.RouteDef]:
        return [web.post("/api/v1/events", self.emit)]

    async def emit(self, request: web.Request) -> web.Response:
        """Store a signed event; its verdict follows under the sequence that is answered."""
        given = await body(request, self._read_s)
        event = _event(given)
        return await self._once.do(request, given, lambda: self._pass_on(event))

    async def _pass_on(self, event: Event) -> web.Response:
        try:
            sequence = await self._desk.pass_on(event.subject, event.headers, event.body)
        except BadSubject as bad:
            raise _problem(HTTPStatus.BAD_REQUEST, "bad-subject", str(bad)) from None
        except DuplicateId as twice:
            raise _problem(HTTPStatus.CONFLICT, "duplicate-id", str(twice)) from None
        except (NotPublished, TransportError) as failed:
            raise _problem(HTTPStatus.SERVICE_UNAVAILABLE, "broker-away", str(failed)) from None
        told = {
            "event_id": event.headers[EVENT_ID],
            "sequence": sequence,
            "verdict": f"/api/v1/verdicts/{sequence}",
        }
        return web.json_response(told, status=HTTPStatus.ACCEPTED)


def _event(given: bytes) -> Event:
    try:
        asked = msgspec.convert(json.loads(given), Envelope)
        data = base64.b64decode(asked.data, validate=True)
    except (ValueError, RecursionError, msgspec.ValidationError, binascii.Error) as bad:
        raise _problem(HTTPStatus.BAD_REQUEST, "bad-field", str(bad)[:300]) from None
    if EVENT_ID not in asked.headers or len(asked.headers) > _MAX_HEADERS:
        what = f"{EVENT_ID} is needed, and at most {_MAX_HEADERS} headers are taken"
        raise _problem(HTTPStatus.BAD_REQUEST, "bad-field", what)
    for name, value in asked.headers.items():
        # others, such as Nats-Rollup, are commands to the broker and no part of an event
        known = name.isascii() and (is_covered(name) or name.lower() in _ALSO)
        if not known or not is_visible(name) or not is_visible(value):
            what = f"header {name[:60]!r} is none of a signed event's, or no visible ASCII"
            raise _problem(HTTPStatus.BAD_REQUEST, "bad-field", what)
    return Event(asked.subject, asked.headers, data)


def _problem(status: HTTPStatus, code: str, detail: str) -> Problem:
    return Problem(status, code, detail, "docs/publishing.md says how an event is signed")
