"""Generations: the graph of now, those that came before, and those that live runs hold."""

from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from stratum_orchestrator.api import views
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.question import MAX_PAGE, Question
from stratum_state.store import RunFilter


class Generations:
    """The handler, and its path."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def table(self) -> Sequence[web.RouteDef]:
        return [web.get("/api/v1/generations", self.generations)]

    async def generations(self, request: web.Request) -> web.Response:
        """Each with the bundles that it came from, and the runs under way that hold it."""
        Question(request.query, set())
        graph = self._desk.graph()
        active = graph.digest if graph else None
        live = await self._live()
        bundles: dict[str, dict[str, None]] = {}
        for record in await self._desk.activations.history():
            bundles.setdefault(record.generation, {})[record.digest] = None
        known = dict.fromkeys([*([active] if active else []), *bundles, *live])
        told: list[views.View] = [
            {
                "generation": each,
                "active": each == active,
                "bundles": list(bundles.get(each, {})),
                "live_runs": live[each],
            }
            for each in known
            if each
        ]
        return web.json_response({"generations": told})

    async def _live(self) -> Counter[str]:
        found: Counter[str] = Counter()
        after: str | None = None
        while True:
            page = await self._desk.runs(RunFilter(live=True), after=after, limit=MAX_PAGE)
            found.update(run.generation for run in page)
            if len(page) < MAX_PAGE:
                return found
            after = page[-1].id
