"""What can be triggered, how it stands, and holding it back."""

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from stratum_graph.generation import Generation
from stratum_orchestrator.api import graph_view, views
from stratum_orchestrator.api.commands import fields_of, reason_of, told
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.guard import body
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import visitor
from stratum_orchestrator.saga.instruction import Wish
from stratum_state.standing import Standing

_VERBS = {
    "pause": Standing.PAUSED,
    "disable": Standing.DISABLED,
    "resume": Standing.ACTIVE,
}


class PipelinePaths:
    """The handlers about pipelines, and the table of their paths."""

    def __init__(self, desk: Desk, read_s: float, once: Once) -> None:
        """`read_s` is how long a body may take to arrive, in seconds."""
        self._desk = desk
        self._read_s = read_s
        self._once = once

    def table(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/v1/pipelines", self.pipelines),
            *(self._stand(verb, kind) for verb, kind in _VERBS.items()),
        ]

    async def pipelines(self, _: web.Request) -> web.Response:
        """What can be triggered, by which subjects, and how it stands."""
        now = generation(self._desk)
        defined = graph_view.pipelines(now)
        names = {each["pipeline"] for each in defined}
        held = [x.pipeline for x in self._desk.pipelines.standings.held]
        gone: list[views.View] = [
            {"pipeline": each, "subjects": [], "triggered": [], "nodes": 0}
            for each in sorted({*held} - names)
        ]
        told = [each | self._standing(str(each["pipeline"])) for each in [*defined, *gone]]
        return web.json_response({"generation": now.digest, "pipelines": told})

    def _standing(self, pipeline: str) -> views.View:
        found = self._desk.pipelines.standings.of(pipeline)
        return {
            "standing": (found.kind if found else Standing.ACTIVE).value,
            "held": views.standing(found) if found else None,
            "waiting": self._desk.pipelines.waiting(pipeline),
        }

    def _stand(self, verb: str, kind: Standing) -> web.RouteDef:
        async def handle(request: web.Request) -> web.Response:
            given = await body(request, self._read_s)
            asker, asked = visitor().asker, fields_of(given, {"reason"})
            wish = Wish(by=asker.principal.name, reason=reason_of(asked), asker=asker)
            name = request.match_info["name"]

            async def obey() -> web.Response:
                async with told():
                    record = await self._desk.pipelines.stand(name, kind, wish)
                return web.json_response(views.standing(record), status=HTTPStatus.ACCEPTED)

            return await self._once.do(request, given, obey)

        return web.post(f"/api/v1/pipelines/{{name}}/{verb}", handle)


def generation(desk: Desk) -> Generation:
    """What new events are planned with; a Problem when there is none yet."""
    graph = desk.graph()
    if graph is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "no-generation",
            "no generation of definitions is in use yet",
            "mend what /api/v1/status lists under diagnostics",
        )
    return graph
