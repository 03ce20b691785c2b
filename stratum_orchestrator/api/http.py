"""The server itself: bound, bounded, and gone when its scope ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.guard import (
    MAX_BODY,
    MAX_HEADER,
    Door,
    Guard,
    harden,
)
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.routes import Routes

_SHUTDOWN_S = 1.0  # for those who wait for a change, or still send what nobody reads


@asynccontextmanager
async def serve(desk: Desk, metrics: Metrics, door: Door) -> AsyncIterator[str]:
    """Answer HTTP within the scope; gives the base URL. Raises OSError when it cannot bind."""
    app = web.Application(middlewares=[Guard(door).middleware()], client_max_size=MAX_BODY)
    app.on_response_prepare.append(harden)
    app.add_routes(Routes(desk, metrics, door).table())
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        # also the deadline for the headers of a first request on a connection
        keepalive_timeout=door.read_s,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        lingering_time=_SHUTDOWN_S,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, door.host, door.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()
