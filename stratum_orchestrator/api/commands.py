"""What operators can have done: one POST for each, with a reason."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api import views
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.guard import body
from stratum_orchestrator.api.naming import resolve, unknown
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import visitor
from stratum_orchestrator.errors import Denied, Impossible, UnknownPipeline, UnknownRun
from stratum_orchestrator.saga.instruction import Obeyed, Wish
from stratum_orchestrator.strict_json import NotStrictJson, decode

_MAX_REASON = 500

Command = Callable[[str, str, Wish, bool], Coroutine[object, object, Obeyed]]
"""Run, node (empty without one), wish, and whether a completed run may be run again."""


class Commands:
    """The handlers of commands, and the table of their paths."""

    def __init__(self, desk: Desk, read_s: float, once: Once) -> None:
        """`read_s` is how long a body may take to arrive, in seconds."""
        self._desk = desk
        self._once = once
        self._read_s = read_s

    def table(self) -> Sequence[web.RouteDef]:
        """Every path by which something is changed."""
        run = "/api/v1/runs/{run}"
        undo, asked = f"{run}/compensations/{{node}}", f"{run}/checkpoints/{{node}}"
        do = self._desk.operations
        return [
            self._post(f"{run}/cancel", lambda run, _, wish, __: do.cancel(run, wish)),
            self._post(f"{run}/abandon", lambda run, _, wish, __: do.abandon(run, wish)),
            self._post(
                f"{run}/retry", lambda run, _, wish, again: do.retry(run, wish, again=again)
            ),
            self._post(
                f"{undo}/retry", lambda run, node, wish, _: do.undo_again(run, node, wish)
            ),
            self._post(f"{undo}/waive", lambda run, node, wish, _: do.waive(run, node, wish)),
            self._post(
                f"{asked}/approve", lambda run, node, wish, _: do.approve(run, node, wish)
            ),
            self._post(
                f"{asked}/reject", lambda run, node, wish, _: do.reject(run, node, wish)
            ),
            web.post("/api/v1/reload", self._reload),
        ]

    async def _reload(self, request: web.Request) -> web.Response:
        """Read everything anew; what came of it, whether it is in force or not."""
        given = await body(request, self._read_s)
        asker, asked = visitor().asker, fields_of(given, {"reason"})
        wish = Wish(by=asker.principal.name, reason=reason_of(asked), asker=asker)

        async def obey() -> web.Response:
            async with told():
                came = await self._desk.reload(wish)
            return web.json_response(views.outcome(came), status=HTTPStatus.ACCEPTED)

        return await self._once.do(request, given, obey)

    def _post(self, path: str, command: Command) -> web.RouteDef:
        takes = {"reason", "again"} if path.endswith("{run}/retry") else {"reason"}
        explains = reason_or_none if path.endswith("/approve") else reason_of

        async def handle(request: web.Request) -> web.Response:
            given = await body(request, self._read_s)
            asked = fields_of(given, takes)
            asker = visitor().asker
            wish = Wish(by=asker.principal.name, reason=explains(asked), asker=asker)
            run = await resolve(self._desk, request)
            node = request.match_info.get("node", "")

            async def obey() -> web.Response:
                async with told():
                    obeyed = await command(run, node, wish, asked.get("again") is True)
                answer = {"run": obeyed.run, "detail": obeyed.detail}
                return web.json_response(answer, status=HTTPStatus.ACCEPTED)

            return await self._once.do(request, given, obey)

        return web.post(path, handle)


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """What stands in a command's way, as a Problem."""
    try:
        yield
    except UnknownRun as absent:
        raise unknown(absent.run) from None
    except UnknownPipeline as absent:
        remedy = "GET /api/v1/pipelines lists them"
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-pipeline", str(absent), remedy) from None
    except Denied as denied:
        remedy = "let somebody do it who may, or ask whoever owns the policies"
        raise Problem(HTTPStatus.FORBIDDEN, "denied", str(denied), remedy) from None
    except Impossible as why:
        raise Problem(HTTPStatus.CONFLICT, why.code, str(why), why.remedy) from None


def fields_of(given: bytes, takes: set[str]) -> dict[str, object]:
    """The fields of a command; a Problem when one is not among those that it takes."""
    try:
        found = decode(given, safe_integers=True) if given.strip() else {}
    except NotStrictJson as bad:
        remedy = "send one JSON object"
        raise Problem(HTTPStatus.BAD_REQUEST, "bad-field", f"the body {bad}", remedy) from None
    if not isinstance(found, dict):
        found = {}
    unknown_ones = sorted(set(found) - takes)
    if unknown_ones or not isinstance(found.get("again", False), bool):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "bad-field",
            f"the field {(unknown_ones or ['again'])[0]!r} is unknown here or has a bad value",
            f"known are {', '.join(sorted(takes))}; `again` is true or false",
        )
    return found


def reason_of(asked: dict[str, object]) -> str:
    """Why somebody wants it; a Problem when nobody says."""
    reason = asked.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= _MAX_REASON:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "no-reason",
            "a command needs a reason: it goes into the audit",
            f'send {{"reason": "…"}} with 1 to {_MAX_REASON} characters',
        )
    return reason.strip()


def reason_or_none(asked: dict[str, object]) -> str:
    """Why somebody wants it, if it is said: the thing speaks for itself."""
    return reason_of(asked) if asked.get("reason") else ""
