"""The step `execution`: the runner of steps, and the content that they run from."""

import logging
from dataclasses import dataclass

from stratum_graph.definitions import jail
from stratum_graph.definitions.attic import Attic
from stratum_graph.definitions.content import ContentStore
from stratum_orchestrator import layout
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.execution.descriptors import most_steps, raise_limit
from stratum_orchestrator.execution.nushell import NushellRunner
from stratum_orchestrator.execution.orphans import end_orphans

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where steps run."""

    runner: NushellRunner
    content: ContentStore
    parallel: int
    """Processes at a time."""


async def prepare_workshop(frame: Frame) -> Workshop:
    """End what a killed daemon left running, and make ready to run steps."""
    home, settings = frame.home, frame.settings
    wanted = layout.execution(
        settings, home.project, data=home.folder, scratch=home.scratch, token=home.marker()
    )
    limit = raise_limit()
    parallel = most_steps(wanted.parallel, limit)
    if parallel < wanted.parallel:
        extra = {"wanted": wanted.parallel, "parallel": parallel, "descriptors": limit}
        log.warning("fewer steps at a time: too few descriptors", extra=extra)
        wanted = wanted.with_parallel(parallel)
    ended = await end_orphans(wanted.token)
    if ended:
        log.warning("ended processes of a daemon that was killed", extra={"count": ended})
    frame.points.passed("orphans.ended")
    shared = settings.definitions.content
    place = home.project / shared if shared else home.content
    content = ContentStore(place, frame.points.passed)
    left = Attic(content).clear() + jail.clear()
    if left:
        log.info("removed what killed processes left half done", extra={"count": left})
    runner = NushellRunner(wanted, content.tree, frame.points.passed, frame.veil)
    await runner.scratch.clear()
    described = runner.containment.describe()
    told = {"containment": described["level"], "gaps": described["gaps"]}
    log.info("steps are contained", extra=told)
    frame.health.watch("execution", lambda: (True, _state(runner)))
    return Workshop(runner=runner, content=content, parallel=wanted.parallel)


def _state(runner: NushellRunner) -> str:
    waiting = f"; steps wait for the machine: {runner.shortage}" if runner.shortage else ""
    return f"{runner.containment.level}{waiting}"
