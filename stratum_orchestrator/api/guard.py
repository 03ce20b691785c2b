"""Who may ask at all: host, origin, token, size and time are checked before any handler."""

import logging
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stratum_orchestrator.api.problem import MEDIA_TYPE, Problem
from stratum_state.errors import Unavailable

MAX_BODY = 64 * 1024
MAX_HEADER = 8 * 1024
MAX_REQUESTS = 256
"""Requests in hand at one time, those that wait for a change included."""
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _CONTENT_SECURITY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "stratum",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_REFUSALS = {
    HTTPStatus.NOT_FOUND: ("not-found", "docs/http-api.md lists the paths"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("wrong-method", "docs/http-api.md lists the methods"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too-large", f"at most {MAX_BODY} bytes"),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the API listens, and whom it lets in."""

    token_sha256: str
    """64 hex digits; the token itself is not kept."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    read_s: float = 10.0
    """How long a client may take for a request's headers, and again for its body."""
    names: tuple[str, ...] = ()
    """Further host names that requests may be addressed to, without a port."""


class Guard:
    """The checks that every request passes, in order, cheapest first."""

    def __init__(self, door: Door) -> None:
        self._token = door.token_sha256
        self._names = frozenset({"127.0.0.1", "localhost", "::1", door.host, *door.names})
        self._in_hand = 0

    def admit(self, request: web.Request) -> None:
        """Raise a Problem unless the request may reach a handler."""
        self._check_host(request)
        self._check_origin(request)
        if request.path.startswith("/api/"):
            self._check_token(request)
        if request.method not in {"GET", "HEAD"}:
            _check_json(request)

    def middleware(self) -> Middleware:
        """The guard in the form that the server takes: problems become answers here."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._in_hand >= MAX_REQUESTS:
                return answer(
                    Problem(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "busy",
                        f"{MAX_REQUESTS} requests are in hand already",
                        "try again in a second",
                    )
                )
            self._in_hand += 1
            try:
                self.admit(request)
                return await handler(request)
            except Problem as problem:
                return answer(problem)
            except Unavailable as unavailable:
                return answer(_away(unavailable))
            except web.HTTPException as refusal:
                return answer(_foreign(refusal))
            finally:
                self._in_hand -= 1

        return guarded

    def _check_host(self, request: web.Request) -> None:
        # a page of another site may make its own name resolve to us; the name gives it away
        given = request.headers.get("Host", "")
        if _hostname(given) not in self._names:
            log.warning("request for a foreign host", extra={"host": given[:100]})
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "foreign-host",
                "this daemon does not answer to that host name",
                "use 127.0.0.1 or localhost, or add the name to http.hosts in stratum.ncl",
            )

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        host = request.headers.get("Host", "")
        same = origin is None or origin in {f"http://{host}", f"https://{host}"}
        site = request.headers.get("Sec-Fetch-Site", "none")
        if not same or site not in {"none", "same-origin"}:
            log.warning("request from a foreign origin", extra={"origin": str(origin)[:100]})
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "foreign-origin",
                "the request comes from another web site",
                "ask from the daemon's own origin, or without an Origin header",
            )

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        presented = sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        if scheme.lower() != "bearer" or not compare_digest(presented, self._token):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "no-token",
                "a valid bearer token is required",
                "send 'Authorization: Bearer …' with the content of the home's run/token",
            )


async def body(request: web.Request, within_s: float) -> bytes:
    """The request's body; a Problem when it is too large or too slow in coming."""
    try:
        with anyio.fail_after(within_s):
            return await request.read()
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT,
            "slow-body",
            f"the body did not arrive within {within_s:.0f} seconds",
            "send it in one piece",
        ) from None


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer that keep browsers from doing harm with it."""
    del request
    response.headers.update(HEADERS)


def answer(problem: Problem) -> web.Response:
    """The response that tells of a problem."""
    response = web.json_response(problem.view(), status=problem.status, content_type=MEDIA_TYPE)
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="stratum"'
    if problem.status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def _check_json(request: web.Request) -> None:
    # a form of another site can send these bytes, but not under this content type
    if request.content_type != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "the body must be JSON",
            "send Content-Type: application/json",
        )


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _away(unavailable: Unavailable) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store-away",
        str(unavailable) or "the store cannot be reached now",
        "the daemon keeps trying; GET /readyz?verbose tells how it stands",
    )


def _foreign(refusal: web.HTTPException) -> Problem:
    status = HTTPStatus(refusal.status)
    code, remedy = _REFUSALS.get(status, ("refused", "docs/http-api.md says what is answered"))
    return Problem(status, code, refusal.reason, remedy)
