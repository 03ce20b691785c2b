"""The step `execution`: the runner of steps, and the content that they run from."""

import logging
from dataclasses import dataclass

from stratum_graph.definitions.content import ContentStore
from stratum_orchestrator import layout
from stratum_orchestrator.boot.frame import Frame
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
    ended = await end_orphans(wanted.token)
    if ended:
        log.warning("ended processes of a daemon that was killed", extra={"count": ended})
    frame.points.passed("orphans.ended")
    shared = settings.definitions.content
    place = home.project / shared if shared else home.content
    content = ContentStore(place, frame.points.passed)
    runner = NushellRunner(wanted, content.tree, frame.points.passed, frame.veil)
    await runner.scratch.clear()
    frame.health.watch("execution", lambda: (True, str(runner.containment.level)))
    return Workshop(runner=runner, content=content, parallel=wanted.parallel)
