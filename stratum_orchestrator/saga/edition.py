"""Which version of the definitions judges an event: the one in force, unless it names another.

Only the graph is another then. Who may do what, and what this machine can carry out, is as it
is in force.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stratum_orchestrator.errors import Refused
from stratum_orchestrator.ports import Decision
from stratum_orchestrator.saga.delegation import Asker, Matter, decide
from stratum_orchestrator.saga.rules import Rules
from stratum_state.model import PipelineRun

HEADER = "Stratum-Version"
"""Signed with the event, as every header that begins so."""
ACTION = "choose"
"""What the policies are asked, of the daemon, before anything is looked up."""
CODE = "no-version"
"""Of the verdict on an event whose version cannot be had."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHOWN = 80


class Editions(Protocol):
    """The versions that are kept."""

    async def find(self, wanted: str, rules: Rules) -> Rules:
        """The rules in force over the graph of a version, by its digest; Refused if none is."""
        ...


class InForceAlone:
    """No version is kept but the one in force."""

    async def find(self, wanted: str, rules: Rules) -> Rules:
        """See `Editions`."""
        if wanted == rules.generation.digest:
            return rules
        reason = (
            f"version {wanted} is not in force, and folders keep no other one; leave {HEADER} "
            "out, or have definitions.source name a bundle"
        )
        raise Refused(CODE, reason)


def named(run: PipelineRun) -> str:
    """The version that the run's event named; empty without one."""
    said = json.loads(run.authorization)
    found = said.get("version") if isinstance(said, dict) else None
    return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchosen:
    """Why an event that names a version is not judged by it."""

    refusal: Refused
    decision: Decision | None = None
    """None when nobody was asked."""


async def chosen(
    editions: Editions, rules: Rules, asker: Asker, headers: Mapping[str, str], now_ms: int
) -> Rules | Unchosen:
    """What is to judge an event with these signed headers."""
    wanted = headers.get(HEADER.lower())
    if wanted is None:
        return rules
    if _DIGEST.fullmatch(wanted) is None:
        reason = (
            f"{HEADER} is {wanted[:_SHOWN]!r}, it must be a digest, sha256:… in full; "
            "`stratum versions` lists them"
        )
        return Unchosen(refusal=Refused("bad-header", reason))
    about = {"version": wanted}
    # a grant gives no power over the daemon, so whoever signs has to be allowed it by itself
    alone = Asker(principal=asker.principal)
    matter = Matter(action=ACTION, pipeline="", now_ms=now_ms, about=about)
    decision = decide(rules, alone, matter)
    if not decision.allowed:
        reason = (
            f"{asker.principal.name} may not choose a version: {decision.reason}; leave "
            f"{HEADER} out, or have the policies permit `{ACTION}`"
        )
        return Unchosen(refusal=Refused("denied", reason), decision=decision)
    try:
        return (await editions.find(wanted, rules)).by(wanted, decision.policies)
    except Refused as refusal:
        return Unchosen(refusal=refusal, decision=decision)
