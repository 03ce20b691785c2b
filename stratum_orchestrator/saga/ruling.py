"""What the policies decided, as the log has it: each command, allowed or not."""

import logging

from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Matter

log = logging.getLogger(__name__)


def note(asker: Asker, matter: Matter, decision: Decision, *, run: str = "") -> None:
    """Log a decision with its policies: refusals as warnings, views for debug."""
    level = logging.INFO if decision.allowed else logging.WARNING
    if matter.action == "view":  # also asked for each line of a list
        level = logging.DEBUG
    facts = {
        "principal": asker.principal.name,
        "action": matter.action,
        "pipeline": matter.pipeline,
        "run": run,
        "policies": decision.policies,
        "policy_set": decision.policy_set,
        "why": decision.reason,
    }
    log.log(level, "command allowed" if decision.allowed else "command denied", extra=facts)
