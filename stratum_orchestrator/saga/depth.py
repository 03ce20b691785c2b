"""How far an event is from one that a publisher sent: what keeps pipelines from circling."""

import re
from collections.abc import Mapping

from stratum_orchestrator.errors import Refused

HEADER = "Stratum-Depth"
"""Signed with the event, as every header that begins so."""
DEEPEST = 8
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


def depth_of(headers: Mapping[str, str], deepest: int) -> int:
    """How many runs led to the event with these signed headers; Refused when too many did."""
    said = headers.get(HEADER.lower())
    if said is None:
        return 0
    if _NUMBER.fullmatch(said) is None:
        reason = (
            f"{HEADER} is {said[:20]!r}, it must be a number of runs; publishers leave it out"
        )
        raise Refused("bad-header", reason)
    if int(said) > deepest:
        reason = (
            f"{said} runs led to it, each started by the end of the one before, and {deepest} "
            "may (runs.depth); `stratum lint` names pipelines that start each other"
        )
        raise Refused("too-deep", reason)
    return int(said)
