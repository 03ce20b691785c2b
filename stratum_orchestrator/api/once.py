"""`Idempotency-Key`: what is asked for twice under one key is done once."""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus

import anyio
from aiohttp import web

from stratum_orchestrator.api.problem import Problem

HEADER = "Idempotency-Key"
KEPT = 1024
"""Answers that are remembered, the latest ones."""
_KEY = re.compile(r"[\x21-\x7e]{1,128}")

Do = Callable[[], Awaitable[web.Response]]


@dataclass(slots=True)
class _Asked:
    """What was asked under a key, and the answer once there is one."""

    print: str
    done: anyio.Event = field(default_factory=anyio.Event)
    status: int = 0
    body: bytes = b""


class Once:
    """Remembers answers by key for as long as the process lives. Errors are not remembered."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    async def do(self, request: web.Request, given: bytes, do: Do) -> web.Response:
        """Do it, unless the same was asked for under the same key: then that answer again."""
        key = request.headers.get(HEADER)
        if key is None:
            return await do()
        if not _KEY.fullmatch(key):
            raise _bad(HTTPStatus.BAD_REQUEST, "bad-key", "must be 1 to 128 visible ASCII")
        print_ = _print(request, given)
        while (known := self._asked.get(key)) is not None:
            if known.print != print_:
                why = "was given with another request before"
                raise _bad(HTTPStatus.UNPROCESSABLE_ENTITY, "key-reused", why)
            await known.done.wait()
            if known.status:
                return _again(known)
        return await self._first(key, _Asked(print_), do)

    async def _first(self, key: str, asked: _Asked, do: Do) -> web.Response:
        self._asked[key] = asked
        try:
            response = await do()
            asked.status, asked.body = response.status, _content(response)
        finally:
            if not asked.status:
                del self._asked[key]
            asked.done.set()
        for old in [each for each, it in self._asked.items() if it.status][:-KEPT]:
            del self._asked[old]
        return response


def _print(request: web.Request, given: bytes) -> str:
    said = (request.method, request.path, request.headers.get("Authorization", ""))
    return sha256("\n".join(said).encode() + b"\n" + given).hexdigest()


def _content(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _again(known: _Asked) -> web.Response:
    headers = {"Idempotency-Replayed": "true"}
    return web.Response(
        status=known.status,
        body=known.body,
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


def _bad(status: HTTPStatus, code: str, why: str) -> Problem:
    return Problem(status, code, f"the header {HEADER} {why}", "make a fresh key, a UUID")
