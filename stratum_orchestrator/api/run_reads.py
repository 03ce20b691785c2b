"""A run's parts, each by itself: its plan, one node with what it was given, its logs."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from stratum_graph.model import Plan, PlannedNode
from stratum_orchestrator.api import plan_view, views
from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.naming import resolve, unknown
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import Question
from stratum_state.model import CompensationRecord, StepRecord, StepStatus, Trail


class RunReads:
    """The handlers below a run, and the table of their paths."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def table(self) -> Sequence[web.RouteDef]:
        run = "/api/v1/runs/{run}"
        return [
            web.get(f"{run}/plan", self.plan),
            web.get(f"{run}/nodes/{{node}}", self.node),
            web.get(f"{run}/logs", self.logs),
        ]

    async def plan(self, request: web.Request) -> web.Response:
        """What the run is made of; it keeps its plan to its end, whatever is loaded since."""
        Question(request.query, set())
        trail = await self._trail(request)
        return web.json_response(plan_view.plan(await self._plan(trail)))

    async def node(self, request: web.Request) -> web.Response:
        """One node of the run: its definition, what it was given, all that was tried."""
        Question(request.query, set())
        trail = await self._trail(request)
        plan = await self._plan(trail)
        name = request.match_info["node"]
        planned = next((x for x in plan.nodes if x.definition.node.name == name), None)
        if planned is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "unknown-node",
                f"run {trail.run.id} has no node {name[:80]!r}",
                f"GET /api/v1/runs/{trail.run.id}/plan lists its nodes",
            )
        told: views.View = {
            "run": trail.run.id,
            "definition": plan_view.node(planned),
            "event": views.event(trail.run),
            "inputs": _inputs(planned, trail),
            "idempotency_key": f"{trail.run.id}/{name}",
            "steps": [views.step(each) for each in trail.steps if each.node == name],
            "compensations": [
                views.compensation(each) for each in trail.compensations if each.node == name
            ],
            "credentials": [views.lease(each) for each in trail.leases if each.node == name],
            "checkpoints": [
                views.inquiry(trail, each) for each in trail.checkpoints if each.node == name
            ],
        }
        return web.json_response(told)

    async def logs(self, request: web.Request) -> web.Response:
        """What the scripts of the run said on stderr, attempt by attempt, as they began."""
        node = Question(request.query, {"node"}).text("node")
        trail = await self._trail(request)
        found: list[StepRecord | CompensationRecord] = [*trail.steps, *trail.compensations]
        wanted = [each for each in found if node in {None, each.node}]
        wanted.sort(key=lambda each: each.started)
        return web.json_response({"run": trail.run.id, "logs": list(map(views.log, wanted))})

    async def _trail(self, request: web.Request) -> Trail:
        run = await resolve(self._desk, request)
        trail = await self._desk.trail(run)
        if trail is None:
            raise unknown(run)
        return trail

    async def _plan(self, trail: Trail) -> Plan:
        plan = await self._desk.plan(trail.run.plan)
        if plan is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "no-plan",
                f"the plan {trail.run.plan} is not kept any more",
                "definitions are kept for as long as a live run needs them",
            )
        return plan


def _inputs(planned: PlannedNode, trail: Trail) -> views.View:
    """The consumed capabilities' values, as far as there are any yet."""
    values: views.View = {}
    for step in trail.steps:
        if step.status is StepStatus.SUCCEEDED:
            values |= json.loads(step.outputs or "{}")
    return {name: values[name] for name in planned.definition.node.consumes if name in values}
