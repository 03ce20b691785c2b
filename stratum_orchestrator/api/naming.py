"""Runs by the beginning of their ids, as people write them into paths."""

from http import HTTPStatus

from aiohttp import web

from stratum_orchestrator.api.desk import Desk
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.question import run_prefix


async def resolve(desk: Desk, request: web.Request) -> str:
    """The id of the run that the path names; a Problem unless there is exactly one."""
    return await resolve_prefix(desk, request.match_info["run"])


async def resolve_prefix(desk: Desk, given: str) -> str:
    """The id of the one run that begins so; a Problem unless there is exactly one."""
    prefix = run_prefix(given)
    found = await desk.match(prefix, limit=2)
    if not found:
        raise unknown(prefix)
    if len(found) > 1 and prefix not in found:
        raise Problem(
            HTTPStatus.CONFLICT,
            "ambiguous-run",
            f"more than one run begins with {prefix}",
            "give more digits",
        )
    return prefix if prefix in found else found[0]


def unknown(run_id: str) -> Problem:
    """No run has an id that begins so."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        "unknown-run",
        f"no run begins with {run_id}",
        "GET /api/v1/runs lists the runs",
    )
