"""Where the definitions of a start come from: folders, or a verified bundle."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import anyio

from stratum_orchestrator import layout
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.distribution.activation import configured, latest
from stratum_orchestrator.distribution.supply import AWAY, Resolved, Supply
from stratum_orchestrator.knowledge import Sources
from stratum_state.tracker import StateTracker

log = logging.getLogger(__name__)


class Provision:
    """What the source gave last; a new activation replaces it."""

    def __init__(self, supply: Supply, look: Callable[[], Sources]) -> None:
        """`look` says where plain folders are at the moment."""
        self.supply = supply
        self.resolved = Resolved(sources=supply.local)
        self._look = look
        self.trouble = ""
        """Why what is on record is not in force here, if it is not."""
        self.outlook = ""
        """What was wrong at the last look at the source."""

    def now(self) -> Sources:
        """Where everything lies at this moment, without asking the source for a bundle."""
        return self.resolved.sources if self.supply.is_bundle else self._look()

    async def active(self, tracker: StateTracker) -> str:
        """Digest of the bundle that was activated last; empty when the settings decide."""
        if not self.supply.is_bundle:
            return ""
        found = await latest(tracker, self.supply.name)
        return found.digest if found else ""

    async def resolve(self, active: str = "") -> Resolved:
        """The folders to load, of the active digest if there is one; DistributionError."""
        resolved = await self.read(active)
        self.took(resolved)
        return resolved

    async def read(self, active: str) -> Resolved:
        """As `resolve`, of what does not count as being in force yet."""
        resolved = await anyio.to_thread.run_sync(self.supply.resolve, active)
        for warning in resolved.warnings:
            log.warning("bundle questioned", extra={"why": warning})
        if resolved.digest:
            facts = {"source": self.supply.name, "digest": resolved.digest}
            log.info("bundle verified", extra={**facts, "signer": resolved.signer})
        return resolved

    def took(self, resolved: Resolved) -> None:
        """It is in force from now on."""
        self.resolved, self.trouble, self.outlook = resolved, "", ""

    def noticed(self, standing: str, trouble: str) -> None:
        """What the source's tag stands for by now, if anybody can tell, and what is wrong."""
        self.outlook = trouble
        if standing:
            found = self.resolved
            newer = standing if standing != found.digest else ""
            warnings = tuple(x for x in found.warnings if not x.startswith(AWAY))
            self.resolved = replace(found, newer=newer, warnings=warnings)

    async def remember(self, tracker: StateTracker, generation: str, now: int) -> None:
        """Put on record what the settings brought into force, unless it is there already."""
        if self.resolved.digest and not await self.active(tracker):
            first = configured(self.resolved, self.supply.name, generation, now)
            await tracker.record(first)

    @property
    def troubles(self) -> Sequence[str]:
        """What is wrong with the source, which keeps nothing out."""
        return [*self.resolved.warnings, *filter(None, (self.trouble, self.outlook))]

    def look(self) -> tuple[bool, str]:
        """For readiness."""
        found = self.resolved
        newer = [f"{self.supply.name} is {found.newer} by now"] if found.newer else []
        return True, "; ".join([found.digest, *newer, *self.troubles])


def open_supply(frame: Frame) -> Provision:
    """The source that the settings name; raises BadReference."""
    home = frame.home
    look = layout.Resolver(partial(layout.sources, frame.settings, home.project, home.folder))
    supply = Supply(look(), frame.settings, home.project, home.folder)
    provision = Provision(supply, (lambda: supply.local) if supply.reference else look)
    if provision.supply.is_bundle:
        frame.health.watch("bundle", provision.look, lambda: bool(provision.troubles))
    return provision
