"""`POST /hooks/oci`: a registry says that something was pushed. A hint to look, nothing more.

What it says is never believed: it can only have the daemon look at its own source sooner than
it would have anyway, and however many hints come, it looks once in a while.
"""

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import anyio
from aiohttp import web

from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.problem import Problem

PATH = "/hooks/oci"
MEDIA_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
    }
)
"""As registries send it; `application/json` is taken, too."""
_READ = 256 * 1024
"""Bytes: the manifest of a large bundle is repeated in its notification."""


class Hooks:
    """The handler, and its path."""

    def __init__(self, desk: Desk, read_s: float) -> None:
        """`read_s` is how long a body may take to arrive, in seconds."""
        self._desk = desk
        self._read_s = read_s

    def table(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self.oci)]

    async def oci(self, request: web.Request) -> web.Response:
        """Take a hint; whether it made a difference."""
        given = await _beginning(request, self._read_s)
        looks = self._desk.hints.heard(None if len(given) > _READ else _repositories(given))
        detail = "the source is looked at" if looks else "it is about no source of this daemon"
        told = {"looks": looks, "detail": detail}
        return web.json_response(told, status=HTTPStatus.ACCEPTED)


async def _beginning(request: web.Request, within_s: float) -> bytes:
    """As much of the body as is worth reading, and a byte more if there is more."""
    taken = bytearray()
    with anyio.move_on_after(within_s):
        async for part in request.content.iter_chunked(1 << 14):
            taken += part
            if len(taken) > _READ:
                break
    return bytes(taken[: _READ + 1])


def _repositories(given: bytes) -> frozenset[str] | None:
    """Where something was pushed with a tag; None when that cannot be told."""
    try:
        told = json.loads(given)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "bad-field",
            "the body is no JSON object",
            'send a notification as registries do: {"events": [{"action": "push", …}]}',
        )
    events = told.get("events")
    return frozenset(_pushed(events)) if isinstance(events, list) else None


def _pushed(events: Sequence[object]) -> Iterator[str]:
    for each in events:
        match each:
            case {"action": "push", "target": {"repository": str(repository), "tag": str()}}:
                yield repository
            case _:
                continue
