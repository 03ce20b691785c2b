"""The environment of a step's process: made from nothing, never inherited from the daemon."""

import os
from collections.abc import Mapping, Sequence

from stratum_orchestrator.execution.errors import CannotStart
from stratum_orchestrator.execution.marks import VARIABLE
from stratum_orchestrator.execution.reach import Reach
from stratum_orchestrator.ports import Command, Kind

_LONGEST = 128 << 10  # bytes of one variable with its name: Linux takes no longer ones


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


def check(command: Command) -> None:
    """Return when each variable of the node's own can hold its value; else CannotStart.

    Without this the system would cut a value off at a NUL, and what is left of a secret then is
    not what is kept out of the records.
    """
    for name, value in (*command.env.items(), *command.secrets.items()):
        if why := _fault(name, value):
            raise CannotStart(f"the variable {name} {why}")  # noqa: TRY003 - all there is


def _fault(name: str, value: str) -> str:
    if "\0" in value:
        return "would hold a NUL character, which no variable can"
    try:
        size = len(f"{name}=".encode()) + len(os.fsencode(value)) + 1
    except UnicodeEncodeError:
        return "would hold half of a surrogate pair, which is no text"
    if size > _LONGEST:
        return f"would have more than {_LONGEST >> 10} KiB; hand so much over in a file"
    return ""


def idempotency_key(command: Command) -> str:
    """Return what every attempt of the same step has in common."""
    key = f"{command.run}/{command.node}"
    return key if command.kind is Kind.DO else f"{key}/undo"
