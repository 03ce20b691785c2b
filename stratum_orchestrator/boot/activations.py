"""Part of the step `http`: operators can have another bundle brought into force."""

import logging
from functools import partial

from platform_nats import notices
from stratum_graph.errors import EvaluationFailed
from stratum_graph.model import Principal
from stratum_orchestrator.api.desk import Outcome
from stratum_orchestrator.boot.broker import Broker
from stratum_orchestrator.boot.definitions import InForce
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.boot.work import Work
from stratum_orchestrator.distribution.activation import Activations
from stratum_orchestrator.distribution.outlook import Outlook
from stratum_orchestrator.distribution.supply import Resolved
from stratum_orchestrator.startup import BadDefinitions
from stratum_state.activation import ActivationRecord

log = logging.getLogger(__name__)


async def follow_activations(
    frame: Frame, records: Records, broker: Broker, in_force: InForce, work: Work
) -> tuple[Activations, Outlook]:
    """Follow what is activated, here or elsewhere: new runs begin with it, live ones end."""
    provision, legislator = in_force.provision, in_force.legislator

    async def check(resolved: Resolved) -> str:
        return (await legislator.compiled(resolved)).digest

    async def reload(record: ActivationRecord) -> None:
        if record.digest == provision.resolved.digest:
            return
        try:
            resolved = await provision.read(record.digest)
            reason = f"activation of {record.digest}"
            _demand(await in_force.reloader.reload(reason, resolved.sources))
        except Exception as why:
            provision.trouble = f"{record.digest} is on record, and not in force here: {why}"
            raise
        provision.took(resolved)  # before anybody else looks where the definitions are

    activations = Activations(
        supply=provision.supply,
        operator=Principal(
            key=broker.connection.key.public, name="operator", groups=("operators",)
        ),
        rules=lambda: in_force.rules,
        rulings=records.rulings,
        tracker=records.tracker,
        clock=frame.clock,
        check=check,
        reload=reload,
        tell=partial(notices.tell, broker.connection),
        apart=work.live.apart,
        keep=frame.settings.definitions.keep,
    )
    chosen = frame.settings.definitions
    outlook = Outlook(provision.supply, chosen.follow, activations.follow, provision.noticed)
    if provision.supply.is_bundle:
        await frame.beside(partial(notices.listen, broker.connection, activations.overhear))
    if provision.supply.moves:
        await frame.beside(partial(outlook.watch, chosen.look))
    return activations, outlook


def _demand(outcome: Outcome) -> None:
    """GraphError unless it is in force."""
    if outcome.kind == "refused":
        errors = [each for each in outcome.diagnostics if each.severity == "error"]
        raise BadDefinitions(errors)
    if outcome.why:
        raise EvaluationFailed(outcome.why)
