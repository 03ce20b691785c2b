"""The environment of a step's process: made from nothing, never inherited from the daemon."""

import os
from collections.abc import Mapping, Sequence

from stratum_orchestrator.execution.marks import VARIABLE
from stratum_orchestrator.execution.reach import Reach
from stratum_orchestrator.ports import Command, Kind


def environment(
    command: Command, reach: Reach, path: Sequence[str], mark: str
) -> Mapping[str, str]:
    """Return the variables; the node's own may replace any but the `STRATUM_…` ones."""
    return {
        "PATH": os.pathsep.join(path),
        "HOME": reach.scratch,
        "TMPDIR": reach.scratch,
        "LANG": "C.UTF-8",
        **command.env,
        **command.secrets,
        "STRATUM_RUN": command.run,
        "STRATUM_NODE": command.node,
        "STRATUM_ATTEMPT": str(command.attempt),
        "STRATUM_IDEMPOTENCY_KEY": idempotency_key(command),
        "STRATUM_DATA": reach.data,
        VARIABLE: mark,
    }


def idempotency_key(command: Command) -> str:
    """Return what every attempt of the same step has in common."""
    key = f"{command.run}/{command.node}"
    return key if command.kind is Kind.DO else f"{key}/undo"
