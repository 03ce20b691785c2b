"""The step `definitions`: graph, principals and policies together, as what is in force."""

import logging
from dataclasses import dataclass
from pathlib import Path

from stratum_graph.definitions.scripts import Nushell
from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator import knowledge, lenders
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.auth.grants import KeptGrants
from stratum_orchestrator.boot import supplies
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.supplies import Provision
from stratum_orchestrator.boot.workshop import Workshop
from stratum_orchestrator.distribution.supply import Resolved
from stratum_orchestrator.execution.nushell import LIBRARY
from stratum_orchestrator.home import DEVELOPER
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.startup import BadDefinitions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Legislator:
    """Reads definitions into rules, and brings rules into force."""

    frame: Frame
    broker: Broker
    workshop: Workshop

    async def draft(self, resolved: Resolved) -> tuple[Rules, tuple[Diagnostic, ...]]:
        """Read everything; BadDefinitions, BadPolicies when it cannot be in force."""
        sources, content = resolved.sources, self.workshop.content
        log.info("definitions read", extra={"folders": list(map(str, sources.folders))})
        nu = Nushell(Path(self.workshop.runner.nu), LIBRARY)
        compiled, found = await knowledge.load_graph(sources, content, nu)
        named, problems = await knowledge.load_principals(sources, content)
        diagnostics = (*found, *problems)
        errors = [each for each in diagnostics if each.severity == "error"]
        if compiled.generation is None or errors:
            raise BadDefinitions(errors)
        for each in diagnostics:
            log.warning("definition questioned", extra={"finding": str(each)})
        if resolved.generation not in {"", compiled.generation.digest}:
            facts = {"published": resolved.generation, "found": compiled.generation.digest}
            log.warning("bundle compiles to another graph than it did there", extra=facts)
        credentials, dev = self.frame.settings.credentials, self.frame.launch.dev
        rules = Rules(
            generation=compiled.generation,
            principals=named,
            authorizer=knowledge.authorizer(
                PolicySet.load(sources.policies), compiled.generation
            ),
            lacks=self.workshop.runner.lacks,
            nothing_lent=lenders.missing(credentials, dev=dev),
            grants=KeptGrants(self.frame.access.grants, self.frame.settings.nats.audience),
        )
        return rules, diagnostics

    async def enact(self, rules: Rules) -> None:
        """Let in who may publish by these rules, and count what there is."""
        await self.broker.let_in(rules.principals)
        self.frame.metrics.generation(len(rules.generation.definitions))


@dataclass(slots=True, kw_only=True)
class InForce:
    """The rules of now, and what was found when they were read."""

    rules: Rules
    diagnostics: tuple[Diagnostic, ...]
    provision: Provision
    """Where they came from."""
    legislator: Legislator

    @property
    def sources(self) -> Sources:
        """Where they were read."""
        return self.provision.resolved.sources


async def load_definitions(
    frame: Frame, broker: Broker, workshop: Workshop, records: Records
) -> InForce:
    """Read everything; BadDefinitions, BadPolicies when it cannot be in force."""
    if frame.launch.dev:
        frame.home.introduce_developer(frame.home.key(DEVELOPER, make=True))
    provision = supplies.open_supply(frame)
    resolved = await provision.resolve(await provision.active(records.tracker))
    legislator = Legislator(frame=frame, broker=broker, workshop=workshop)
    rules, diagnostics = await legislator.draft(resolved)
    frame.points.passed("generation.compiled")
    await provision.remember(records.tracker, rules.generation.digest, frame.clock.now_ms())
    await legislator.enact(rules)
    frame.points.passed("generation.in-force")
    in_force = InForce(
        rules=rules, diagnostics=diagnostics, provision=provision, legislator=legislator
    )
    frame.health.watch("definitions", lambda: (True, in_force.rules.generation.digest))
    return in_force
