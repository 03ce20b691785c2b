"""Where the definitions of a start come from: folders, or a verified bundle."""

import logging

import anyio

from stratum_orchestrator import layout
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.distribution.supply import Resolved, Supply

log = logging.getLogger(__name__)


class Provision:
    """What the source gave last; a new activation replaces it."""

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self.resolved = Resolved(sources=supply.local)

    async def resolve(self, active: str = "") -> Resolved:
        """The folders to load, of the active digest if there is one; DistributionError."""
        resolved = await anyio.to_thread.run_sync(self.supply.resolve, active)
        for warning in resolved.warnings:
            log.warning("bundle questioned", extra={"why": warning})
        if resolved.digest:
            facts = {"source": self.supply.name, "digest": resolved.digest}
            log.info("bundle verified", extra={**facts, "signer": resolved.signer})
        self.resolved = resolved
        return resolved

    def look(self) -> tuple[bool, str]:
        """For readiness: a degraded source keeps nothing out, and is said to be degraded."""
        warnings = [f"degraded: {each}" for each in self.resolved.warnings]
        return True, "; ".join((self.resolved.digest, *warnings))


def open_supply(frame: Frame) -> Provision:
    """The source that the settings name; raises BadReference."""
    home = frame.home
    local = layout.sources(frame.settings, home.project, home.folder)
    provision = Provision(Supply(local, frame.settings, home.project, home.folder))
    if provision.supply.is_bundle:
        frame.health.watch("bundle", provision.look)
    return provision
