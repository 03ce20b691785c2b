"""What each path answers. Handlers ask the desk and give the answer its shape, nothing more."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api import graph_view, metrics as exposition, openapi, views
from stratum_orchestrator.api.assets import Page
from stratum_orchestrator.api.bundles import Bundles
from stratum_orchestrator.api.commands import Commands
from stratum_orchestrator.api.desk import Check, SeenDesk
from stratum_orchestrator.api.emission import Emission
from stratum_orchestrator.api.generations import Generations
from stratum_orchestrator.api.guard import Door
from stratum_orchestrator.api.hooks import Hooks
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.naming import resolve, unknown
from stratum_orchestrator.api.once import Once
from stratum_orchestrator.api.pipelines import PipelinePaths, generation
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import RUN_FILTERS, Question, whole
from stratum_orchestrator.api.run_reads import RunReads
from stratum_orchestrator.api.stream import Stream
from stratum_orchestrator.api.visitor import Question as Asked, Unanswerable, visitor
from stratum_orchestrator.audit import dossier
from stratum_state.errors import Unavailable

_NAMED = 5  # runs that need a person, where the checks name them


class Routes:
    """The handlers, and the table of their paths."""

    def __init__(self, desk: SeenDesk, metrics: Metrics, door: Door) -> None:
        self._desk = desk
        self._metrics = metrics
        self._door = door

    def table(self) -> Sequence[web.RouteDef]:
        """Every path that is answered."""
        run, once = "/api/v1/runs/{run}", Once()
        return [
            web.get("/livez", self.livez),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/openapi.json", self.openapi),
            web.get("/api/v1/status", self.status),
            web.get("/api/v1/graph", self.graph),
            web.get("/api/v1/runs", self.runs),
            web.get(run, self.run),
            web.get(f"{run}/journal", self.journal),
            web.get(f"{run}/evidence", self.evidence),
            web.get("/api/v1/checkpoints", self.checkpoints),
            web.get("/api/v1/verdicts", self.verdicts),
            web.get("/api/v1/verdicts/{sequence}", self.verdict),
            web.get("/api/v1/decisions", self.decisions),
            web.get("/api/v1/instances", self.instances),
            *Page().table(),
            web.get("/api/v1/whoami", self.whoami),
            web.get("/api/v1/authz", self.authz),
            *RunReads(self._desk).table(),
            *Stream(self._desk).table(),
            *Commands(self._desk, self._door.read_s, once).table(),
            *Emission(self._desk, self._door.read_s, once).table(),
            *Hooks(self._desk, self._door.read_s).table(),
            *Generations(self._desk).table(),
            *Bundles(self._desk, self._door.read_s, once).table(),
            *PipelinePaths(self._desk, self._door.read_s, once).table(),
        ]

    async def livez(self, _: web.Request) -> web.Response:
        """The process answers. Nothing else is asked: an outage elsewhere restarts nothing."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether events are taken in; with `?verbose`, each check and its reason."""
        question = Question(request.query, {"verbose"})
        checks = self._desk.checks()
        ready = all(check.ok for check in checks)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        if not question.has("verbose"):
            return web.Response(text="ok\n" if ready else "not ready\n", status=status)
        checks = await self._with_attention(checks)
        if "application/json" in request.headers.get("Accept", ""):
            told: views.View = {
                "ready": ready,
                "checks": [views.check(each) for each in checks],
            }
            return web.json_response(told, status=status)
        return web.Response(text=_listed(checks, ready=ready), status=status)

    async def metrics(self, _: web.Request) -> web.Response:
        """The Prometheus exposition."""
        return web.Response(
            body=self._metrics.exposition(),
            headers={"Content-Type": exposition.MEDIA_TYPE},
        )

    async def openapi(self, _: web.Request) -> web.Response:
        """What can be asked here, described for programs."""
        return web.json_response(openapi.document(self._desk.status().version))

    async def status(self, _: web.Request) -> web.Response:
        """The daemon at a glance."""
        status = self._desk.status()
        checks = await self._with_attention(status.checks)
        return web.json_response(views.status(replace(status, checks=tuple(checks))))

    async def graph(self, _: web.Request) -> web.Response:
        """The generation that new events are planned with."""
        return web.json_response(graph_view.graph(generation(self._desk)))

    async def whoami(self, _: web.Request) -> web.Response:
        """As whom the token acts."""
        return web.json_response(views.visitor(visitor()))

    async def authz(self, request: web.Request) -> web.Response:
        """Why somebody may do something, or not, as things are now."""
        given = dict(request.query)
        fixed = {name: given.pop(name, "") for name in ("principal", "action", "resource")}
        asked = Asked(**fixed, grant=given.pop("grant", ""), context=given)
        try:
            return web.json_response(self._door.reception.explain(asked))
        except Unanswerable as why:
            remedy = "?principal=&action=&resource=, and keys of the policies' context"
            raise Problem(HTTPStatus.BAD_REQUEST, "bad-question", str(why), remedy) from None

    async def instances(self, _: web.Request) -> web.Response:
        """Everybody who shares the database, lane by lane."""
        found = await self._desk.instances()
        return web.json_response({"instances": [views.instance(each) for each in found]})

    async def runs(self, request: web.Request) -> web.Response:
        """Runs, newest first, a page at a time."""
        question = Question(request.query, RUN_FILTERS | {"attention", "after", "limit"})
        if question.has("attention"):
            return await self._needy(question)
        limit = question.limit()
        found = await self._desk.runs(question.runs(), after=question.after(), limit=limit + 1)
        page = found[:limit]
        following = page[-1].id if len(found) > limit else None
        told: views.View = {"runs": [views.head(run) for run in page], "next": following}
        return web.json_response(told)

    async def run(self, request: web.Request) -> web.Response:
        """One run; with `wait`, as soon as its change number is not `seen` any more."""
        question = Question(request.query, {"wait", "seen"})
        run_id = await resolve(self._desk, request)
        change = await self._desk.change(
            run_id, seen=question.seen(), within_s=question.wait_s()
        )
        trail = await self._desk.trail(run_id)
        if trail is None:
            raise unknown(run_id)
        plan = await self._desk.plan(trail.run.plan)
        why = views.attention(self._desk.attention(trail))
        told = views.run(trail, plan) | {"attention": why, "change": change}
        return web.json_response(told)

    async def journal(self, request: web.Request) -> web.Response:
        """A run's hash-chained audit, whole."""
        run_id = await resolve(self._desk, request)
        lines = await self._desk.journal(run_id)
        told: views.View = {"run": run_id, "journal": [views.journal_line(x) for x in lines]}
        return web.json_response(told)

    async def evidence(self, request: web.Request) -> web.Response:
        """All that is on record of a run, in the form in which it can be verified anywhere."""
        run_id = await resolve(self._desk, request)
        evidence = await self._desk.evidence(run_id)
        if evidence is None:
            raise unknown(run_id)
        text = dossier.write(run_id, evidence)
        return web.Response(text=text, content_type="application/json")

    async def checkpoints(self, request: web.Request) -> web.Response:
        """What people are asked now, newest runs first, so many runs at a time."""
        question = Question(request.query, {"after", "limit"})
        limit = question.limit()
        found = await self._desk.asking(after=question.after(), limit=limit + 1)
        page = found[:limit]
        following = page[-1].run.id if len(found) > limit else None
        asked = [each for trail in page for each in views.asking(trail)]
        return web.json_response({"checkpoints": asked, "next": following})

    async def verdicts(self, request: web.Request) -> web.Response:
        """What became of events, newest first, a page at a time."""
        question = Question(request.query, {"kind", "text", "after", "limit"})
        limit = question.limit()
        found = await self._desk.verdicts(
            question.verdicts(), after=question.after(), limit=limit + 1
        )
        page = found[:limit]
        following = page[-1].id if len(found) > limit else None
        told: views.View = {"verdicts": [views.verdict(x) for x in page], "next": following}
        return web.json_response(told)

    async def verdict(self, request: web.Request) -> web.Response:
        """What became of the event of one stream sequence; with `wait`, once it is recorded."""
        question = Question(request.query, {"wait"})
        sequence = whole(request.match_info["sequence"], "sequence")
        verdict = await self._desk.verdict(sequence, within_s=question.wait_s())
        if verdict is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "no-verdict",
                f"no verdict on event {sequence} is recorded yet",
                "ask again with ?wait=SECONDS, or see whether the daemon is ready",
            )
        return web.json_response(views.verdict(verdict))

    async def decisions(self, request: web.Request) -> web.Response:
        """What the policies said to commands, newest first, a page at a time."""
        filters = {"answer", "principal", "action"}
        question = Question(request.query, filters | {"after", "limit"})
        limit = question.limit()
        found = await self._desk.decisions(
            question.decisions(), after=question.after(), limit=limit + 1
        )
        page = found[:limit]
        following = page[-1].id if len(found) > limit else None
        told: views.View = {"decisions": [views.decision(x) for x in page], "next": following}
        return web.json_response(told)

    async def _needy(self, question: Question) -> web.Response:
        question.only_attention()
        limit = question.limit()
        found = await self._desk.needy(after=question.after(), limit=limit + 1)
        page = found[:limit]
        following = page[-1].run.id if len(found) > limit else None
        told: views.View = {
            "runs": [
                views.head(each.run) | {"attention": views.attention(each.attention)}
                for each in page
            ],
            "next": following,
        }
        return web.json_response(told)

    async def _with_attention(self, checks: Sequence[Check]) -> Sequence[Check]:
        """The checks, and which runs need a person: that is named, and keeps nothing out."""
        try:
            found = await self._desk.needy(after=None, limit=_NAMED + 1)
        except Unavailable:
            return checks  # the store's own check says so
        if not found:
            return checks
        named = "; ".join(f"{x.run.id}: {x.attention.reason}" for x in found[:_NAMED])
        more = "; and more" if len(found) > _NAMED else ""
        detail = f"{named}{more} (stratum runs --attention)"
        return [*checks, Check(name="attention", ok=True, detail=detail)]


def _listed(checks: Sequence[Check], *, ready: bool) -> str:
    lines = [
        f"[{_mark(check)}]{check.name} {_word(check)}"
        + (f": {check.detail}" if check.detail else "")
        for check in checks
    ]
    return "\n".join([*lines, "ready" if ready else "not ready", ""])


def _mark(check: Check) -> str:
    return "-" if not check.ok else "!" if check.degraded else "+"


def _word(check: Check) -> str:
    return "failed" if not check.ok else "degraded" if check.degraded else "ok"
