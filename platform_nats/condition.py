"""What a server says of its own condition: `/healthz` of its monitor."""

import json
from urllib.parse import urlsplit

import anyio

_WITHIN_S = 5.0
_GONE = (OSError, TimeoutError, anyio.BrokenResourceError, ValueError)


async def complaint(monitor: str) -> str:
    """What the server at the monitor's URL says is wrong; empty when nothing is.

    Empty also when it does not answer: then its connections tell.
    """
    place = urlsplit(monitor)
    try:
        with anyio.fail_after(_WITHIN_S):
            stream = await anyio.connect_tcp(place.hostname or "", place.port or 0)
            async with stream:
                await stream.send(b"GET /healthz HTTP/1.0\r\n\r\n")
                answer = b"".join([chunk async for chunk in stream])
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except _GONE:
        return ""
    return "" if told.get("status") == "ok" else str(told.get("error", told))
