"""What became of a request that was not answered as asked, as the problem that tells of it."""

import logging
import secrets
from http import HTTPStatus

from aiohttp import web

from platform_nats.errors import BrokerAway
from stratum_orchestrator.api.limits import MAX_BODY
from stratum_orchestrator.api.problem import MEDIA_TYPE, Problem
from stratum_orchestrator.errors import Ending
from stratum_state.errors import Unavailable

_REFUSALS = {
    HTTPStatus.NOT_FOUND: ("not-found", "docs/http-api.md lists the paths"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("wrong-method", "docs/http-api.md lists the methods"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too-large", f"at most {MAX_BODY} bytes"),
}
_STORE_AWAY = "the store cannot be reached now"
_PATIENCE = "the daemon keeps trying; GET /readyz?verbose tells how it stands"
_BACK = "look at the run when it is back, and ask again if it has not changed"
_PATH = 200  # characters of it in the log

log = logging.getLogger(__name__)


def problem_of(error: Exception, request: web.Request) -> Problem:
    """The problem that an error in hand amounts to; a fault of ours is logged by its name."""
    match error:
        case Problem():
            return error
        case Unavailable():
            return _away("store-away", str(error) or _STORE_AWAY)
        case BrokerAway():
            return _away("broker-away", str(error))
        case Ending():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "ending", str(error), _BACK)
        case web.HTTPException():
            status = HTTPStatus(error.status)
            code, remedy = _REFUSALS.get(
                status, ("refused", "docs/http-api.md says what is answered")
            )
            return Problem(status, code, error.reason, remedy)
        case _:
            return _fault(error, request)


def answer(problem: Problem) -> web.Response:
    """The response that tells of a problem."""
    response = web.json_response(problem.view(), status=problem.status, content_type=MEDIA_TYPE)
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="stratum"'
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        response.headers["Retry-After"] = "1"
    return response


def _away(code: str, why: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, code, why, _PATIENCE)


def _fault(error: Exception, request: web.Request) -> Problem:
    incident = secrets.token_hex(6)
    facts = {"incident": incident, "method": request.method, "path": request.path[:_PATH]}
    log.error("request not answered", extra=facts, exc_info=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "fault",
        f"a fault of the daemon's own; its log tells more, as incident {incident}",
        f"look for {incident} in the daemon's log, and report what it says there",
        instance=f"urn:stratum:incident:{incident}",
    )
