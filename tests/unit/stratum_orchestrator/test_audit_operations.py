"""What operators had done keeps the promises, and what breaks them is found."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stratum_orchestrator.audit.events import check_refusals
from stratum_orchestrator.audit.observed import Observed, Violation
from stratum_orchestrator.audit.oracle import check
from stratum_state.model import Trail
from support import records
from support.graph import node
from support.operators import WISH, desk
from support.runner import ScriptedRunner
from support.saga import World, until_started

SAGA = [
    node("reserve", gives="reserved", on="events.go"),
    node("charge", needs="reserved", gives="charged"),
    node("ship", needs="charged", gives="shipped"),
]
OUTPUTS = {"reserve": {"reserved": 1}, "charge": {"charged": 1}, "ship": {"shipped": 1}}
FAILS = {"ship", "charge/undo", "reserve/undo"}


async def observed(around: World) -> Sequence[Violation]:
    """What the oracle says of everything on record, without what only real events have."""
    runs = dict.fromkeys(each.id for each in around.store.history if hasattr(each, "identity"))
    trails = [trail for run in runs if (trail := await around.store.trail(run))]
    found = check(
        Observed(
            trails=trails,
            journals={run: await around.store.journal(run) for run in runs},
            plans={plan.digest: plan for plan in around.generation.plans("events.go")},
            settled=True,
        )
    )
    return [each for each in found if each.invariant not in {"I2", "I16"}]


async def partial() -> tuple[World, str]:
    around = World(SAGA, ScriptedRunner(outputs=OUTPUTS, fails=FAILS))
    run = (await around.carry()).run.id
    around.runner = ScriptedRunner(outputs=OUTPUTS)
    return around, run


@pytest.mark.parametrize("last", ["waive", "undo"])
async def test_looked_after_it_keeps_every_promise(last: str) -> None:
    around, run = await partial()

    async with desk(around) as at:
        await at.operations.undo_again(run, "charge", WISH)
    async with desk(around) as at:
        if last == "waive":
            await at.operations.waive(run, "reserve", WISH)
        else:
            await at.operations.undo_again(run, "reserve", WISH)

    assert await observed(around) == []


async def test_waived_first_and_undone_then_it_keeps_every_promise() -> None:
    around, run = await partial()

    async with desk(around) as at:
        await at.operations.waive(run, "charge", WISH)
        await at.operations.undo_again(run, "reserve", WISH)

    assert await observed(around) == []


async def test_abandoned_it_keeps_every_promise() -> None:
    around = World(SAGA, runner := ScriptedRunner(outputs=OUTPUTS, hangs={"charge"}))

    async with desk(around) as at:
        run = await at.accept()
        await until_started(runner, "charge")
        await at.operations.abandon(run, WISH)

    assert await observed(around) == []


@pytest.mark.parametrize(
    ("of", "data", "wrong"),
    [("first", "same", ""), ("nobody", "same", "not on record"), ("first", "other", "event")],
)
def test_a_retry_has_the_event_of_the_run_that_it_retries(
    of: str, data: str, wrong: str
) -> None:
    first = records.a_run()
    retry_of = first.id if of == "first" else "0" * 25
    again = replace(
        records.a_run("e1/retry/1"),
        data=first.data if data == "same" else "{}",
        authorization=json.dumps({"allowed": True, "retry_of": retry_of}),
    )

    found = check_refusals(
        Observed(
            trails=[Trail(run=first), Trail(run=again)],
            journals={},
            verdicts=[records.a_verdict(first)],
        )
    )

    assert [wrong in each.detail for each in found] == ([True] if wrong else [])
