"""What each path answers. Handlers ask the desk and give the answer its shape, nothing more."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api import graph_view, metrics as exposition, views
from stratum_orchestrator.api.desk import CancelResult, Check, Desk
from stratum_orchestrator.api.guard import Door, body
from stratum_orchestrator.api.metrics import Metrics
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import Question, run_prefix, whole
from stratum_state.store import RunFilter

_OPERATOR = "operator"  # whoever holds the daemon's token
_MAX_REASON = 500


class Routes:
    """The handlers, and the table of their paths."""

    def __init__(self, desk: Desk, metrics: Metrics, door: Door) -> None:
        self._desk = desk
        self._metrics = metrics
        self._door = door

    def table(self) -> Sequence[web.RouteDef]:
        """Every path that is answered."""
        run = "/api/v1/runs/{run}"
        return [
            web.get("/livez", self.livez),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/api/v1/status", self.status),
            web.get("/api/v1/graph", self.graph),
            web.get("/api/v1/runs", self.runs),
            web.get(run, self.run),
            web.get(f"{run}/journal", self.journal),
            web.post(f"{run}/cancel", self.cancel),
            web.get("/api/v1/verdicts", self.verdicts),
            web.get("/api/v1/verdicts/{sequence}", self.verdict),
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

    async def status(self, _: web.Request) -> web.Response:
        """The daemon at a glance."""
        return web.json_response(views.status(self._desk.status()))

    async def graph(self, _: web.Request) -> web.Response:
        """The generation that new events are planned with."""
        graph = self._desk.graph()
        if graph is None:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no-generation",
                "no generation of definitions is in use yet",
                "mend what /api/v1/status lists under diagnostics",
            )
        return web.json_response(graph_view.graph(graph))

    async def runs(self, request: web.Request) -> web.Response:
        """Runs, newest first, a page at a time."""
        question = Question(
            request.query, {"status", "pipeline", "publisher", "after", "limit"}
        )
        wanted = RunFilter(
            status=question.status(),
            pipeline=question.text("pipeline"),
            publisher=question.text("publisher"),
        )
        limit = question.limit()
        found = await self._desk.runs(wanted, after=question.after(), limit=limit + 1)
        page = found[:limit]
        following = page[-1].id if len(found) > limit else None
        told: views.View = {"runs": [views.head(run) for run in page], "next": following}
        return web.json_response(told)

    async def run(self, request: web.Request) -> web.Response:
        """One run; with `wait`, as soon as its change number is not `seen` any more."""
        question = Question(request.query, {"wait", "seen"})
        run_id = await self._resolve(request)
        change = await self._desk.change(
            run_id, seen=question.seen(), within_s=question.wait_s()
        )
        trail = await self._desk.trail(run_id)
        if trail is None:
            raise _unknown(run_id)
        plan = await self._desk.plan(trail.run.plan)
        return web.json_response(views.run(trail, plan) | {"change": change})

    async def journal(self, request: web.Request) -> web.Response:
        """A run's hash-chained audit, whole."""
        run_id = await self._resolve(request)
        lines = await self._desk.journal(run_id)
        told: views.View = {"run": run_id, "journal": [views.journal_line(x) for x in lines]}
        return web.json_response(told)

    async def cancel(self, request: web.Request) -> web.Response:
        """Turn a run back; 202 when it will be."""
        reason = _reason(await body(request, self._door.read_s))
        run_id = await self._resolve(request)
        cancelled = await self._desk.cancel(run_id, by=_OPERATOR, reason=reason)
        match cancelled.result:
            case CancelResult.REQUESTED:
                told: views.View = {"run": run_id, "detail": cancelled.detail}
                return web.json_response(told, status=HTTPStatus.ACCEPTED)
            case CancelResult.OVER:
                raise Problem(
                    HTTPStatus.CONFLICT,
                    "run-over",
                    cancelled.detail or "the run is over, or is being undone already",
                    "nothing is left to cancel",
                )
            case CancelResult.DENIED:
                raise Problem(
                    HTTPStatus.FORBIDDEN,
                    "denied",
                    cancelled.detail or "the policies do not allow it",
                    "ask whoever owns the policies",
                )
            case CancelResult.UNKNOWN:
                raise _unknown(run_id)

    async def verdicts(self, request: web.Request) -> web.Response:
        """What became of events, newest first, a page at a time."""
        question = Question(request.query, {"after", "limit"})
        limit = question.limit()
        found = await self._desk.verdicts(after=question.after(), limit=limit + 1)
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

    async def _resolve(self, request: web.Request) -> str:
        prefix = run_prefix(request.match_info["run"])
        found = await self._desk.match(prefix, limit=2)
        if not found:
            raise _unknown(prefix)
        if len(found) > 1 and prefix not in found:
            raise Problem(
                HTTPStatus.CONFLICT,
                "ambiguous-run",
                f"more than one run begins with {prefix}",
                "give more digits",
            )
        return prefix if prefix in found else found[0]


def _unknown(run_id: str) -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND,
        "unknown-run",
        f"no run begins with {run_id}",
        "GET /api/v1/runs lists the runs",
    )


def _reason(given: bytes) -> str:
    try:
        asked = json.loads(given)
    except ValueError:
        asked = None
    reason = asked.get("reason") if isinstance(asked, dict) else None
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= _MAX_REASON:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "no-reason",
            "a cancellation needs a reason: it goes into the audit",
            f'send {{"reason": "…"}} with 1 to {_MAX_REASON} characters',
        )
    return reason.strip()


def _listed(checks: Sequence[Check], *, ready: bool) -> str:
    lines = [
        f"[{'+' if check.ok else '-'}]{check.name} {'ok' if check.ok else 'failed'}"
        + (f": {check.detail}" if check.detail else "")
        for check in checks
    ]
    return "\n".join([*lines, "ready" if ready else "not ready", ""])
