"""The server itself: bound, bounded, and gone when its scope ends."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.discretion import Discreet
from stratum_orchestrator.api.guard import Door, Guard, harden
from stratum_orchestrator.api.limits import MAX_BODY, MAX_HEADER
from stratum_orchestrator.api.malformed import Runner
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.routes import Routes

_SHUTDOWN_S = 1.0  # for those who wait for a change, or still send what nobody reads


class AddressTaken(Exception):
    """Somebody else listens at the address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} of {host} is taken, perhaps by another daemon: end what listens "
            "there, or choose another one (`http.port`; STRATUM_HTTP__PORT=0 for any free one)"
        )


@asynccontextmanager
async def serve(desk: Desk, metrics: Metrics, door: Door) -> AsyncIterator[str]:
    """Answer HTTP within the scope; gives the base URL.

    Raises AddressTaken, or OSError when it cannot bind for another reason.
    """
    app = web.Application(middlewares=[Guard(door).middleware()], client_max_size=MAX_BODY)
    app.on_response_prepare.append(harden)
    app.add_routes(Routes(Discreet(desk, door.reception), metrics, door).table())
    runner = Runner(
        app,
        access_log=None,
        auto_decompress=False,  # a small body would keep us busy for long, whoever sends it
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
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressTaken(door.host, door.port) from error
            raise
        host, port = runner.addresses[0][:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()
