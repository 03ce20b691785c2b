"""How records look to people and programs: the one place that gives JSON its shape.

Times are ISO 8601 in UTC with milliseconds. Keys never disappear; what is unknown is null.
"""

from stratum_orchestrator.api.views.bundles import activation, change, version
from stratum_orchestrator.api.views.daemon import (
    check,
    diagnostic,
    instance,
    outcome,
    status,
    visitor,
)
from stratum_orchestrator.api.views.events import decision, standing, verdict
from stratum_orchestrator.api.views.ground import View, decoded, iso
from stratum_orchestrator.api.views.runs import (
    answer,
    asking,
    attempt,
    attention,
    checkpoint,
    compensation,
    event,
    head,
    inquiry,
    journal_line,
    lease,
    log,
    run,
    stages,
    step,
)

__all__ = [
    "View",
    "activation",
    "answer",
    "asking",
    "attempt",
    "attention",
    "change",
    "check",
    "checkpoint",
    "compensation",
    "decision",
    "decoded",
    "diagnostic",
    "event",
    "head",
    "inquiry",
    "instance",
    "iso",
    "journal_line",
    "lease",
    "log",
    "outcome",
    "run",
    "stages",
    "standing",
    "status",
    "step",
    "verdict",
    "version",
    "visitor",
]
