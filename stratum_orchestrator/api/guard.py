"""Who may ask at all: host, origin, token, size and time are checked before any handler."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

import anyio
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stratum_orchestrator.api import hooks
from stratum_orchestrator.api.failure import answer, problem_of
from stratum_orchestrator.api.freshness import spare
from stratum_orchestrator.api.hands import Hands
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import (
    VISITOR,
    WANTED,
    Reception,
    Stranger,
    Visitor,
    denied,
    no_token,
)
from stratum_orchestrator.saga.grant import HEADER
from stratum_orchestrator.seldom import Seldom

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

_JUDGED_ONE_BY_ONE = (
    "/api/v1/runs",
    "/api/v1/verdicts",
    "/api/v1/checkpoints",
    "/api/v1/events",
    "/api/v1/emit",
    "/api/v1/pipelines/",
    "/api/v1/whoami",
)
_CHANGES = {
    "/api/v1/reload": "reload",
    "/api/v1/activate": "activate",
    "/api/v1/rollback": "activate",
    "/api/v1/publish": "publish",
    hooks.PATH: "reload",
}
"""Paths by which the daemon is changed, and the actions of the policies; others are `admin`."""

_RUNS = "/api/v1/runs/"
_VERBS = {each: each for each in ("cancel", "abandon", "retry", "waive", "approve")}
_VERBS |= {"reject": "approve"}
_ALWAYS = frozenset({"/livez"})
"""What is answered however much is in hand: who gets no answer there would end the daemon."""
_HOOKS = "/hooks/"
_SAID = ("Authorization", "Forwarded", "X-Forwarded-For", "Via")
"""Headers that tell of somebody: a proxy on this machine speaks for others."""

_told = Seldom(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the API listens, and whom it lets in."""

    reception: Reception
    """Who knows the tokens."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    read_s: float = 10.0
    """How long a client may take for a request's headers, and again for its body."""
    names: tuple[str, ...] = ()
    """Further host names that requests may be addressed to, without a port."""
    is_reserved: bool = False
    """Whether metrics, and the reasons of readiness, are told to visitors only."""


class Guard:
    """The checks that every request passes, in order, cheapest first."""

    def __init__(self, door: Door) -> None:
        self._reception = door.reception
        self._is_reserved = door.is_reserved
        self._names = frozenset({"127.0.0.1", "localhost", "::1", door.host, *door.names})
        self._hands = Hands()

    def admit(self, request: web.Request) -> None:
        """Raise a Problem unless the request may reach a handler."""
        self._check_host(request)
        self._check_origin(request)
        VISITOR.set(None)  # requests of one connection may share a context
        WANTED.set(_wanted(request))
        if self._is_closed(request):
            self._check_visitor(request)
        else:
            with suppress(Stranger):  # who is known may be told more
                VISITOR.set(self._visitor(request))
        if request.method not in {"GET", "HEAD"}:
            _check_json(request)

    def middleware(self) -> Middleware:
        """The guard in the form that the server takes: problems become answers here."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self.admit(request)
                if request.path in _ALWAYS:
                    return await handler(request)
                with self._hands.taking(VISITOR.get()):
                    await self._settle(request)
                    return spare(request, await handler(request))
            except Exception as error:  # whatever it is, who asked is told of it
                if isinstance(error, Problem) and VISITOR.get() is not None:
                    await self._settle(request)
                if request.writer.output_size > 0:
                    raise  # too late for another answer: the server ends the connection
                return answer(problem_of(error, request))

        return guarded

    async def _settle(self, request: web.Request) -> None:
        """Before something is changed, or refused, it is on record who wanted it."""
        if request.method not in {"GET", "HEAD"}:
            await self._reception.settle()

    def _check_host(self, request: web.Request) -> None:
        # a page of another site may make its own name resolve to us; the name gives it away
        given = request.headers.get("Host", "")
        is_plain = request.raw_path.startswith("/")  # else it names a host by itself
        if not is_plain or _hostname(given) not in self._names:
            _told(logging.WARNING, "request for a foreign host", {"host": given[:100]})
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
            said = {"origin": str(origin)[:100]}
            _told(logging.WARNING, "request from a foreign origin", said)
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "foreign-origin",
                "the request comes from another web site",
                "ask from the daemon's own origin, or without an Origin header",
            )

    def _is_closed(self, request: web.Request) -> bool:
        told = request.path == "/metrics" or (
            request.path == "/readyz" and "verbose" in request.query
        )
        if request.path.startswith(_HOOKS):
            return not _is_neighbor(request)
        return request.path.startswith("/api/") or (self._is_reserved and told)

    def _check_visitor(self, request: web.Request) -> None:
        """Take note of who asks; a Problem unless the policies let them ask that at all."""
        try:
            visitor = self._visitor(request)
        except Stranger as stranger:
            raise Problem(
                HTTPStatus.UNAUTHORIZED, stranger.code, str(stranger), stranger.remedy
            ) from None
        VISITOR.set(visitor)
        action = action_of(request.method, request.path)
        if action is None:
            return
        decision = self._reception.ask(visitor, action, "", {})
        if not decision.allowed:
            raise denied(visitor, action, decision)

    def _visitor(self, request: web.Request) -> Visitor:
        given = request.headers.getall("Authorization", [])
        scheme, _, token = "".join(given).partition(" ")
        if scheme.lower() != "bearer" or len(given) > 1:
            raise no_token()
        digest = sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        return self._reception.receive(digest, request.headers.get(HEADER, ""))


def action_of(method: str, path: str) -> str | None:
    """What of the daemon is asked for; None where runs and verdicts are judged one by one."""
    if path.startswith(_JUDGED_ONE_BY_ONE):
        return None
    return "view" if method in {"GET", "HEAD"} else _CHANGES.get(path, "admin")


def _wanted(request: web.Request) -> str:
    """What somebody wants done about a run, in the words of the policies."""
    if request.method in {"GET", "HEAD"} or not request.path.startswith(_RUNS):
        return ""
    verb = request.path.rpartition("/")[2]
    return _VERBS.get(verb, "")


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


def _is_neighbor(request: web.Request) -> bool:
    """Whether it comes from this machine, and from nobody behind it."""
    try:
        is_near = ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
    return is_near and not any(name in request.headers for name in _SAID)


def _check_json(request: web.Request) -> None:
    # a form of another site can send these bytes, but not under these content types
    given, is_hook = request.content_type, request.path.startswith(_HOOKS)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "packed",
            "the body is compressed",
            "send it as it is, without Content-Encoding",
        )
    if given != "application/json" and not (is_hook and given in hooks.MEDIA_TYPES):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "the body must be JSON",
            "send Content-Type: application/json",
        )


def _hostname(host: str) -> str:
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
