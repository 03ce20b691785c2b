"""Events over HTTP: signed ones, passed on as they are, and those of the token's principal.

The daemon signs for nobody but who asks, and with that one's own key. Whether a signature fits
is judged where every event is judged, and recorded as its verdict.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web

from platform_nats.errors import BadSubject, DuplicateId, NotPublished, TransportError
from platform_nats.statement import EVENT_ID, SIGNATURE, is_covered, is_visible
from stratum_orchestrator.api.commands import told
from stratum_orchestrator.api.desk import Desk, Event
from stratum_orchestrator.api.guard import body
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import visitor
from stratum_orchestrator.saga.grant import HEADER as GRANT
from stratum_orchestrator.strict_json import NotStrictJson, decode

_ALSO = frozenset({EVENT_ID.lower(), SIGNATURE.lower(), "traceparent", "tracestate"})
_MAX_HEADERS = 64


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed event, as `docs/publishing.md` specifies it."""

    subject: str
    headers: Mapping[str, str]
    data: str
    """The payload's bytes in base64."""


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event that the token's own principal wants signed."""

    subject: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,512}$")]
    data: Annotated[object, msgspec.Meta(extra_json_schema={"description": "Any JSON."})]
    event_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,128}$")] | None = None
    """A fresh one without it."""


class Emission:
    """The handler, and its path."""

    def __init__(self, desk: Desk, read_s: float, once: Once) -> None:
        self._desk = desk
        self._read_s = read_s
        self._once = once

    def table(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/api/v1/events", self.emit),
            web.post("/api/v1/emit", self.emit_own),
        ]

    async def emit(self, request: web.Request) -> web.Response:
        """Store a signed event; its verdict follows under the sequence that is answered."""
        given = await body(request, self._read_s)
        event = _event(given)
        return await self._once.do(request, given, lambda: self._pass_on(event))

    async def emit_own(self, request: web.Request) -> web.Response:
        """Sign an event as the token's principal, with its key in the home, and store it."""
        given = await body(request, self._read_s)
        letter, who = _letter(given), visitor()

        async def obey() -> web.Response:
            headers = {"Content-Type": "application/json"}
            headers |= {GRANT: who.grant} if who.grant else {}
            text = json.dumps(letter.data, ensure_ascii=False, separators=(",", ":")).encode()
            event = Event(letter.subject, headers, text)
            async with told():
                sealed = await self._desk.seal(who.principal, event, letter.event_id)
            return await self._pass_on(event._replace(headers=sealed))

        return await self._once.do(request, given, obey)

    async def _pass_on(self, event: Event) -> web.Response:
        try:
            sequence = await self._desk.pass_on(event.subject, event.headers, event.body)
        except BadSubject as bad:
            raise _problem(HTTPStatus.BAD_REQUEST, "bad-subject", str(bad)) from None
        except DuplicateId as twice:
            raise _problem(HTTPStatus.CONFLICT, "duplicate-id", str(twice)) from None
        except (NotPublished, TransportError) as failed:
            raise _problem(HTTPStatus.SERVICE_UNAVAILABLE, "broker-away", str(failed)) from None
        stored = {
            "event_id": event.headers[EVENT_ID],
            "sequence": sequence,
            "verdict": f"/api/v1/verdicts/{sequence}",
        }
        return web.json_response(stored, status=HTTPStatus.ACCEPTED)


def _letter(given: bytes) -> Letter:
    try:
        return msgspec.convert(decode(given, safe_integers=True), Letter)
    except (NotStrictJson, msgspec.ValidationError) as bad:
        raise _problem(HTTPStatus.BAD_REQUEST, "bad-field", str(bad)[:300]) from None


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
