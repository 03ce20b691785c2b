"""The daemon is killed at every named point, and nothing is lost or left behind."""

import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from msgspec import Struct

from stratum_orchestrator.audit.oracle import check
from stratum_orchestrator.cli.chaos.judgement import judge
from stratum_orchestrator.cli.chaos.lives import Household, Life, cradle
from stratum_orchestrator.cli.chaos.load import Event, Load
from stratum_orchestrator.cli.client import Daemon, Refusal, Unreachable
from stratum_orchestrator.client.answers import Runs
from stratum_orchestrator.crashpoints import POINTS, VARIABLE
from support import chaos
from support.chance import seeded
from support.chaos import WINDOW_S, Record, forged, order, stray, tell

ROUNDS = int(os.environ.get("STRATUM_ROUNDS", "1"))  # noqa: TID251 - how much a night wants
pytestmark = [pytest.mark.crash, pytest.mark.timeout(900 * ROUNDS)]

DIES_WITHIN_S, AGAIN_S = 60, 15
LEFT_OVER = ("recovery.resumed", "step.lost")
AT_THE_START = (*LEFT_OVER, "store.", "broker.", "orphans.", "content.", "generation.")
APART = ("credential.", "takeover.", "retention.", "compaction.", "notice.")
"""Tests of their own have a vault, several instances, old records: see test_credentials.py,
test_points_apart.py and acceptance/test_chaining.py."""
HERE = sorted(each for each in POINTS if not each.startswith(APART))
MODES = {
    "step.failed": "race",
    "step.cancelled": "race",
    "step.timed-out": "slow",
    "way-back": "race",
    "run.compensat": "race",
    "compensation.waived": "stuck",
    "compensation": "race",
    "run.abandoned": "slow",
    "checkpoint.timed-out": "hasty",
    "checkpoint": "ask",
    "answer": "ask",
    "run.suspended": "ask",
}
COMMANDS = {
    "run.abandoned": ("running", "abandon"),
    "compensation.waived": ("compensated", "compensations/reserve/waive"),
    "answer.approved": ("suspended", "checkpoints/permit/approve"),
    "checkpoint.approved": ("suspended", "checkpoints/permit/approve"),
    "answer.rejected": ("suspended", "checkpoints/permit/reject"),
    "checkpoint.rejected": ("suspended", "checkpoints/permit/reject"),
    "checkpoint.withdrawn": ("suspended", "cancel"),
}
"""What an operator has to do: the status of the runs, and the command."""


async def test_killed_at_each_point_nothing_is_lost_or_left_behind(
    tmp_path: Path, record_property: Record
) -> None:
    dice, figures = seeded(), Counter[str]()
    for number in range(ROUNDS):  # each in a home of its own: so many kills make a store large
        figures.update(await hold_round(tmp_path / f"round-{number}", dice))

    tell(record_property, points=len(HERE), **figures)


async def hold_round(project: Path, dice: random.Random) -> Counter[str]:
    """Die once at every point, in an order that the dice decide; what there was of it."""
    chaos.write_project(project)
    points = dice.sample(HERE, len(HERE))
    async with cradle(chaos.variables()) as born, anyio.create_task_group() as publishers:
        household = Household(born, project / ".stratum", chaos.variables())
        load = Load(household)
        for number, point in enumerate(points):
            await prepare(point, household, load, f"before-{number}")
            await die_at(
                point, household, load, events_for(point, f"event-{number}"), publishers
            )

        judgement = await judge(household, load, chaos.effects)

    assert judgement.rest.why == ""
    assert [str(each) for each in judgement.violations] == []
    assert check(replace(judgement.observed, effects=[]))
    return Counter(
        kills=len(points),
        runs=len(judgement.observed.trails),
        repeated_effects=chaos.repetitions(judgement.observed.effects or ()),
        violations=len(judgement.violations),
    )


async def prepare(point: str, household: Household, load: Load, event_id: str) -> None:
    """Bring about what a daemon has to find at its start to pass the point."""
    if point.startswith(("content.", "tree.")):
        chaos.change_definitions(household.home.parent)
    if point.startswith(LEFT_OVER):
        async with anyio.create_task_group() as publisher:
            at = "step.spawned"
            await die_at(at, household, load, [order("good", event_id)], publisher)
            publisher.cancel_scope.cancel()


async def die_at(
    point: str,
    household: Household,
    load: Load,
    events: Sequence[Event],
    publishers: TaskGroup,
) -> None:
    """Begin a daemon that dies at the point, and publish what brings it there."""
    asked = f"{point}:1"
    life = await household.begin(**{VARIABLE: asked})
    publishers.start_soon(publish, load, events, life)
    if point.startswith("reload."):
        publishers.start_soon(stir, household, life)
    for name, (status, command) in COMMANDS.items():
        if point.startswith(name):
            publishers.start_soon(operate, household, life, status, command)
    with anyio.move_on_after(DIES_WITHIN_S):
        assert await life.over() == -signal.SIGKILL, household.log.read_text()[-4000:]
        assert f"killed at crash point {asked}\n" in household.log.read_text()
        return
    pytest.fail(f"{point} was not passed:\n{household.log.read_text()[-4000:]}")


async def publish(load: Load, events: Sequence[Event], life: Life) -> None:
    """Publish the events, and others like them for as long as that brings nobody there.

    On a busy machine, a step may time out that should succeed.
    """
    for again in itertools.count():
        for event in events:
            name = f"{event.event_id}-{again}" if again else event.event_id
            await load.publish(replace(event, event_id=name))
            await anyio.sleep(2 * WINDOW_S)
        with anyio.move_on_after(AGAIN_S):
            while not life.is_over:  # noqa: ASYNC110 - another process
                await anyio.sleep(WINDOW_S)
        if life.is_over or not events:
            return


async def operate(household: Household, life: Life, status: str, command: str) -> None:
    """Give a command to every run of the status, again and again, until the daemon dies."""

    def insist() -> None:
        daemon = Daemon.at(household.home)
        page, _ = daemon.ask("/api/v1/runs", Runs, {"status": status, "limit": 200})
        for run in page.runs:
            with suppress(Refusal):
                daemon.command(f"/api/v1/runs/{run.id}/{command}", {"reason": "a test"}, Told)

    while not life.is_over:
        with suppress(Unreachable):
            await to_thread.run_sync(insist)
        await anyio.sleep(WINDOW_S)


async def stir(household: Household, life: Life) -> None:
    """Change the definitions again and again, until the daemon dies of it."""
    while not life.is_over:
        chaos.change_definitions(household.home.parent)
        await anyio.sleep(WINDOW_S)


class Told(Struct, frozen=True):
    """Which run a command was about."""

    run: str


def events_for(point: str, event_id: str) -> Sequence[Event]:
    if point.startswith(AT_THE_START):
        return []
    if point.startswith("verdict.refused"):
        return [forged(event_id)]
    if point.startswith("verdict.no-pipeline"):
        return [stray(event_id)]
    mode = next((mode for name, mode in MODES.items() if point.startswith(name)), "good")
    event = order(mode, event_id)
    return [event, event] if point.startswith("verdict.duplicate") else [event]
