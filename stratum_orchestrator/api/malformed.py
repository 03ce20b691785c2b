"""What is not HTTP is answered like everything else: with a problem, hardened.

The server answers such requests itself, before there is anything to hand to a handler: with
what it did not understand in the answer, and a stack trace in the log for each.
"""

import asyncio
import logging
from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api import limits
from stratum_orchestrator.api.failure import answer
from stratum_orchestrator.api.guard import HEADERS
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.seldom import Seldom

_told = Seldom(logging.getLogger(__name__))


class _Handler(web.RequestHandler):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        manager = self._manager
        if manager is not None and len(manager.connections) > limits.MAX_CONNECTIONS:
            _told(logging.WARNING, "too many connections", {"open": limits.MAX_CONNECTIONS})
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        _told(logging.INFO, "request that is not HTTP", {"why": type(exc).__name__})
        problem = Problem(
            HTTPStatus(status),
            "malformed",
            "the request is not valid HTTP/1.1",
            "use a library",
        )
        response = answer(problem)
        response.headers.update(HEADERS)
        response.force_close()
        return response


class _Server(web.Server):
    """Makes a handler for each connection."""

    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application with these answers."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # the library has no other way to choose it
        return server
