"""The end of a trial: everything comes to rest, is read, and is judged by the oracle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stratum_orchestrator.audit.observed import Effect, Observed, Violation
from stratum_orchestrator.audit.oracle import check
from stratum_orchestrator.cli.chaos import evidence
from stratum_orchestrator.cli.chaos.lives import Household
from stratum_orchestrator.cli.chaos.load import Load
from stratum_orchestrator.cli.chaos.quiet import Rest, until_quiet
from stratum_orchestrator.home import Home

RESTS_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found, and what it was found in."""

    violations: Sequence[Violation]
    observed: Observed
    rest: Rest


async def judge(
    household: Household,
    load: Load,
    effects: Callable[[Path], Sequence[Effect]] | None = None,
    *,
    within_s: float = RESTS_WITHIN_S,
) -> Judgement:
    """Let the daemon that runs come to rest, stop it, and judge what it leaves.

    `effects` reads from the home what scripts did outside, if they take note of it.
    """
    address = await household.ready() or await household.begin_and_be_ready()
    rest = await until_quiet(household, [each.sequence for each in load.published], within_s)
    told = await evidence.announced(Home(household.home), address.nats)
    await household.stop()
    observed = replace(
        await household.collect(),
        published=load.published,
        announced=told,
        effects=effects(household.home) if effects else None,
        settled=True,
    )
    return Judgement(violations=check(observed), observed=observed, rest=rest)
