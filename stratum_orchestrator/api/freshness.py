"""`ETag`: whoever has an answer already, and says so, is not sent it again."""

from hashlib import sha256
from http import HTTPStatus

from aiohttp import web

_LETTERS = 24


def spare(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Tag what was read, or answer 304 when it is what the request names."""
    if request.method != "GET" or response.status != HTTPStatus.OK:
        return response
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes) or "ETag" in response.headers:
        return response
    tag = f'"{sha256(body).hexdigest()[:_LETTERS]}"'
    known = request.headers.get("If-None-Match", "")
    if tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response
