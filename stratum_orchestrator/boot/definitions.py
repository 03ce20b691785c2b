"""The step `definitions`: graph, principals and policies together, and what replaces them."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stratum_graph.definitions.scripts import Nushell
from stratum_graph.generation import Generation
from stratum_orchestrator import knowledge, lenders
from stratum_orchestrator.auth.grants import KeptGrants
from stratum_orchestrator.boot import supplies
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.supplies import Provision
from stratum_orchestrator.boot.workshop import Workshop
from stratum_orchestrator.distribution.editions import KeptEditions
from stratum_orchestrator.distribution.supply import Resolved
from stratum_orchestrator.execution.nushell import LIBRARY
from stratum_orchestrator.home import DEVELOPER
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.reload import vigil
from stratum_orchestrator.reload.reader import Found, Reader
from stratum_orchestrator.reload.reloader import Reloader, Surroundings
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.saga.standings import Standings
from stratum_orchestrator.startup import BadDefinitions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Legislator:
    """Makes rules of what was read."""

    frame: Frame
    workshop: Workshop
    standings: Standings

    def reader(self, sources: Sources) -> Reader:
        """One that knows nothing yet."""
        nu = Nushell(Path(self.workshop.runner.nu), LIBRARY)
        return Reader(sources, self.workshop.content, nu)

    async def compiled(self, resolved: Resolved) -> Generation:
        """The graph of a bundle that is not to be in force; GraphError."""
        found = await self.reader(resolved.sources).read(resolved.sources)
        rules = self.rules(found)
        differs(resolved, rules)
        return rules.generation

    def rules(self, found: Found) -> Rules:
        """What can be in force; BadDefinitions when it cannot."""
        if found.errors or found.generation is None or found.authorizer is None:
            raise BadDefinitions(found.errors)
        credentials, dev = self.frame.settings.credentials, self.frame.launch.dev
        return Rules(
            generation=found.generation,
            principals=knowledge.with_daemon(found.principals, self.frame.key.public),
            authorizer=found.authorizer,
            lacks=self.workshop.runner.lacks,
            nothing_lent=lenders.missing(credentials, dev=dev),
            grants=KeptGrants(self.frame.access.grants, self.frame.settings.nats.audience),
            standing=self.standings.of,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rules of now, and what replaces them."""

    reloader: Reloader
    provision: Provision
    """Where they came from."""
    legislator: Legislator
    editions: KeptEditions
    """Versions that are not in force, for events that name one."""

    @property
    def rules(self) -> Rules:
        return self.reloader.rules


async def load_definitions(
    frame: Frame, broker: Broker, workshop: Workshop, records: Records
) -> InForce:
    """Read everything, and keep what is in force up to date until the daemon ends.

    BadDefinitions when it cannot be in force at the start.
    """
    if frame.launch.dev:
        frame.home.introduce_developer(frame.home.key(DEVELOPER, make=True))
    provision = supplies.open_supply(frame)
    resolved = await provision.resolve(await provision.active(records.tracker))
    sources = provision.now()
    log.info("definitions read", extra={"folders": list(map(str, sources.folders))})
    legislator = Legislator(frame=frame, workshop=workshop, standings=records.standings)
    reader = legislator.reader(sources)
    found = await reader.read(sources)
    rules = legislator.rules(found)
    _question(found, rules, resolved)
    frame.points.passed("generation.compiled")
    await provision.remember(records.tracker, rules.generation.digest, frame.clock.now_ms())
    await broker.let_in(rules.principals)
    frame.metrics.generation(rules.generation.digest, len(rules.generation.definitions))
    frame.points.passed("generation.in-force")
    around = Surroundings(
        resolve=provision.now,
        rules=legislator.rules,
        let_in=broker.let_in,
        told=frame.metrics.reloaded,
        passed=frame.points.passed,
        clock=frame.clock,
    )
    reloader = Reloader(rules, found, reader, around)
    await _keep_up(frame, reloader, reader, provision)
    editions = KeptEditions(
        provision.supply,
        records.tracker,
        lambda: provision.resolved.digest,
        legislator.compiled,
    )
    return InForce(
        reloader=reloader, provision=provision, legislator=legislator, editions=editions
    )


async def _keep_up(
    frame: Frame, reloader: Reloader, reader: Reader, provision: Provision
) -> None:
    frame.health.watch(
        "definitions", lambda: (True, _state(reloader)), lambda: bool(reloader.trouble)
    )
    await frame.beside(partial(vigil.watch, reloader, provision.now))
    await frame.beside(partial(vigil.obey_signals, reloader))
    await frame.beside(partial(reader.fetch_beside, partial(reloader.reload, "scripts came")))


def differs(resolved: Resolved, rules: Rules) -> None:
    """Say so when a bundle is not here what it was where it was published."""
    digest = rules.generation.digest
    if resolved.generation not in {"", digest}:
        facts = {"published": resolved.generation, "found": digest}
        log.warning("bundle compiles to another graph than it did there", extra=facts)


def _question(found: Found, rules: Rules, resolved: Resolved) -> None:
    for each in found.diagnostics:
        log.warning("definition questioned", extra={"finding": str(each)})
    if not rules.generation.definitions:
        folders = ", ".join(map(str, resolved.sources.folders))
        log.warning("no node is defined: no event opens a run", extra={"folders": folders})
    differs(resolved, rules)


def _state(reloader: Reloader) -> str:
    digest = reloader.rules.generation.digest
    return f"{reloader.trouble} (still in force: {digest})" if reloader.trouble else digest
