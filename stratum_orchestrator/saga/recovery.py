"""At the start: every run that is not over goes on from its last durable step."""

import logging
from collections.abc import Sequence

from stratum_orchestrator.crashpoints import UNARMED, Passed
from stratum_orchestrator.saga.live import LiveRuns
from stratum_state.model import Trail
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)


async def resume(
    tracker: StateTracker, live: LiveRuns, passed: Passed = UNARMED.passed
) -> dict[str, str]:
    """Start what is unfinished; the runs that cannot be resumed, each with the reason."""
    found = await tracker.recover()
    passed("recovery.begun")
    return resume_all(found, live, passed)


def resume_all(
    trails: Sequence[Trail], live: LiveRuns, passed: Passed = UNARMED.passed
) -> dict[str, str]:
    """Start each of the runs. One run's trouble never stops another's."""
    left: dict[str, str] = {}
    for trail in trails:
        try:
            live.resume(trail)
            passed("recovery.resumed")
        except Exception as why:  # whatever is wrong with it, the next one goes on
            log.exception("run not resumed", extra={"run": trail.run.id})
            left[trail.run.id] = f"its plan {trail.run.plan} cannot be read: {why}"
            continue
        log.info("run resumed", extra={"run": trail.run.id, "status": str(trail.run.status)})
    return left
