"""The bundle in force: which ones were, and bringing another one into force."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api import views
from stratum_orchestrator.api.commands import fields_of, reason_of, told
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.guard import body
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import Question
from stratum_orchestrator.api.visitor import visitor
from stratum_orchestrator.saga.instruction import Wish
from stratum_state.activation import ActivationRecord

_MAX_WANTED = 200


class Bundles:
    """The handlers of what is published, and the table of their paths."""

    def __init__(self, desk: Desk, read_s: float, once: Once) -> None:
        """`read_s` is how long a body may take to arrive, in seconds."""
        self._desk = desk
        self._once = once
        self._read_s = read_s

    def table(self) -> Sequence[web.RouteDef]:
        """Every path about bundles."""
        return [
            web.get("/api/v1/versions", self.versions),
            web.get("/api/v1/versions/difference", self.difference),
            web.get("/api/v1/activations", self.history),
            web.post("/api/v1/activate", self.activate),
            web.post("/api/v1/rollback", self.rollback),
        ]

    async def versions(self, request: web.Request) -> web.Response:
        """The bundles that were in force, the latest first, and which runs hold them."""
        Question(request.query, set())
        found = await self._desk.activations.versions()
        return web.json_response({"versions": [views.version(each) for each in found]})

    async def difference(self, request: web.Request) -> web.Response:
        """Which files differ between two bundles that are kept here, line by line."""
        question = Question(request.query, {"from", "to"})
        old, new = question.digest("from"), question.digest("to")
        async with told():
            found = await self._desk.activations.difference(old, new)
        changes = [views.change(each) for each in found]
        return web.json_response({"from": old, "to": new, "changes": changes})

    async def history(self, request: web.Request) -> web.Response:
        """Who brought what into force, when and why, newest first."""
        Question(request.query, set())
        found = await self._desk.activations.history()
        return web.json_response({"activations": [views.activation(each) for each in found]})

    async def activate(self, request: web.Request) -> web.Response:
        """Bring a tag or digest into force: live runs end with the one that they have."""
        given = await body(request, self._read_s)
        asked = fields_of(given, {"wanted", "reason"})
        wanted = asked.get("wanted")
        if not isinstance(wanted, str) or not 0 < len(wanted) <= _MAX_WANTED:
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "bad-field",
                "nothing says which bundle is wanted",
                'send {"wanted": "TAG or sha256:DIGEST", "reason": "…"}',
            )
        wish = _wish(asked)
        return await self._do(
            request, given, lambda: self._desk.activations.activate(wanted, wish)
        )

    async def rollback(self, request: web.Request) -> web.Response:
        """Bring back into force what was before."""
        given = await body(request, self._read_s)
        wish = _wish(fields_of(given, {"reason"}))
        return await self._do(request, given, lambda: self._desk.activations.rollback(wish))

    async def _do(
        self, request: web.Request, given: bytes, do: Callable[[], Awaitable[ActivationRecord]]
    ) -> web.Response:
        async def obey() -> web.Response:
            async with told():
                record = await do()
            return web.json_response(views.activation(record), status=HTTPStatus.ACCEPTED)

        return await self._once.do(request, given, obey)


def _wish(asked: dict[str, object]) -> Wish:
    asker = visitor().asker
    return Wish(by=asker.principal.name, reason=reason_of(asked), asker=asker)
