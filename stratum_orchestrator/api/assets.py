"""The page's files, read once: no token is needed for them, and they hold no data."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from aiohttp import web

_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
VIEWS = (
    *("/", "/runs", "/runs/{run}", "/events", "/pipelines"),
    *("/graph", "/versions", "/health"),
)
"""Addresses that the page itself makes something of."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    content: bytes
    media_type: str
    tag: str
    """Changes with the content."""


def read() -> dict[str, Asset]:
    """Every file of the page, by name."""
    found: dict[str, Asset] = {}
    for file in resources.files(__package__).joinpath("page").iterdir():
        media_type = _TYPES.get(file.name.rpartition(".")[2])
        if media_type:
            content = file.read_bytes()
            tag = sha256(content).hexdigest()[:16]
            found[file.name] = Asset(content, media_type, f'"{tag}"')
    return found


class Page:
    """The paths of the page."""

    def __init__(self) -> None:
        self._assets = read()

    def table(self) -> Sequence[web.RouteDef]:
        return [
            *(web.get(view, self.index) for view in VIEWS),
            web.get("/page/{name}", self.asset),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """The one document; what it shows is up to the address."""
        return _answer(request, self._assets["index.html"])

    async def asset(self, request: web.Request) -> web.Response:
        """A script, a style or a picture."""
        found = self._assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)


def _answer(request: web.Request, asset: Asset) -> web.Response:
    if asset.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers={"ETag": asset.tag})
    return web.Response(
        body=asset.content,
        headers={"ETag": asset.tag, "Content-Type": f"{asset.media_type}; charset=utf-8"},
    )
