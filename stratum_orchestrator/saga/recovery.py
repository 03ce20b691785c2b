"""At the start: every run that is not over goes on from its last durable step."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.saga.instruction import is_to_be_abandoned
from stratum_orchestrator.saga.live import LiveRuns
from stratum_orchestrator.saga.trouble import unrecovered
from stratum_state.model import PipelineRun, Trail
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)


async def resume(
    tracker: StateTracker, live: LiveRuns, passed: Passed = UNARMED.passed
) -> dict[str, str]:
    """Start what is unfinished; the runs that cannot be resumed, each with the reason."""
    found = await tracker.recover()
    passed("recovery.begun")
    return await resume_all(found, tracker, live, passed)


async def resume_all(
    trails: Sequence[Trail],
    tracker: StateTracker,
    live: LiveRuns,
    passed: Passed = UNARMED.passed,
) -> dict[str, str]:
    """Start each of the runs; those that cannot be resumed are set aside, with the reason.

    One run's trouble never stops another's.
    """
    left: dict[str, str] = {}
    for trail in trails:
        run = trail.run
        if not is_to_be_abandoned(run) and (why := obstacle(run, live)):
            left[run.id] = why
            live.set_aside(run.id)
            await tracker.record(run.noted(unrecovered(why).text()))
            continue
        if run.trouble is not None:
            run = run.noted(None)
            await tracker.record(run)
        live.resume(replace(trail, run=run))
        passed("recovery.resumed")
        log.info("run resumed", extra={"run": run.id, "status": str(run.status)})
    return left


def obstacle(run: PipelineRun, live: LiveRuns) -> str:
    """Why the run cannot be taken up again; empty when it can."""
    try:
        live.plan_of(run)
    except Exception as why:  # whatever is wrong with it, the next one goes on
        log.exception("run not resumed", extra={"run": run.id})
        return f"its plan {run.plan} cannot be read: {why}"
    return ""
