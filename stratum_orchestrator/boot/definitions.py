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
from stratum_orchestrator.boot.workshop import Workshop
from stratum_orchestrator.execution.nushell import LIBRARY
from stratum_orchestrator.home import DEVELOPER
from stratum_orchestrator.knowledge import Sources
from stratum_orchestrator.saga.rules import Rules
from stratum_orchestrator.startup import BadDefinitions

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class InForce:
    """The rules of now, and what was found when they were read."""

    rules: Rules
    diagnostics: tuple[Diagnostic, ...]
    sources: Sources
    """Where they were read."""


async def load_definitions(frame: Frame, broker: Broker, workshop: Workshop) -> InForce:
    """Read everything; BadDefinitions, BadPolicies when it cannot be in force."""
    home, content = frame.home, workshop.content
    if frame.launch.dev:
        home.introduce_developer(home.key(DEVELOPER, make=True))
    provision = supplies.open_supply(frame)
    sources = (await provision.resolve()).sources
    log.info("definitions read", extra={"folders": list(map(str, sources.folders))})
    nu = Nushell(Path(workshop.runner.nu), LIBRARY)
    compiled, found = await knowledge.load_graph(sources, content, nu)
    named, problems = await knowledge.load_principals(sources, content)
    diagnostics = (*found, *problems)
    errors = [each for each in diagnostics if each.severity == "error"]
    if compiled.generation is None or errors:
        raise BadDefinitions(errors)
    for each in diagnostics:
        log.warning("definition questioned", extra={"finding": str(each)})
    frame.points.passed("generation.compiled")
    policies = PolicySet.load(sources.policies)
    rules = Rules(
        generation=compiled.generation,
        principals=named,
        authorizer=knowledge.authorizer(policies, compiled.generation),
        lacks=workshop.runner.lacks,
        nothing_lent=lenders.missing(frame.settings.credentials, dev=frame.launch.dev),
        grants=KeptGrants(frame.access.grants, frame.settings.nats.audience),
    )
    await broker.let_in(named)
    frame.metrics.generation(len(compiled.generation.definitions))
    frame.points.passed("generation.in-force")
    in_force = InForce(rules=rules, diagnostics=diagnostics, sources=sources)
    frame.health.watch("definitions", lambda: (True, in_force.rules.generation.digest))
    return in_force
