"""Daemon and broker are killed at any moment under load, and nothing is lost or left behind."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from stratum_orchestrator.cli.chaos.judgement import judge
from stratum_orchestrator.cli.chaos.lives import Household, cradle
from stratum_orchestrator.cli.chaos.load import Event, Load
from stratum_orchestrator.cli.chaos.storm import Storm, Weather
from support import chaos
from support.chance import seeded
from support.chaos import Record, forged, order, stray, tell

KILLS = int(os.environ.get("STRATUM_KILLS", "200"))  # noqa: TID251 - how much a night wants
pytestmark = [pytest.mark.crash, pytest.mark.timeout(300 + 20 * KILLS)]

MODES = {"good": 6, "race": 2, "slow": 1}
STRANGE = 0.1


async def test_killed_at_random_nothing_is_lost_or_left_behind(
    tmp_path: Path, record_property: Record
) -> None:
    chaos.write_project(tmp_path)
    weather = Weather(kills=KILLS, events=Mixed())
    async with cradle(chaos.variables()) as born:
        household = Household(born, tmp_path / ".stratum", chaos.variables())
        load = Load(household)
        await household.begin_and_be_ready()
        tally = await Storm(household, load, weather, seeded()).rage()

        judgement = await judge(household, load, chaos.effects)

    effects = chaos.effects(household.home)
    again = chaos.repetitions(effects)
    tell(
        record_property,
        kills_of_the_daemon=tally.kills,
        kills_of_the_broker=tally.broker_kills,
        freezes=tally.freezes,
        events=len(load.published),
        runs=len(judgement.observed.trails),
        effects=len(effects),
        repeated_effects_per_kill=round(again / KILLS, 2),
        recovery_p50_s=round(tally.percentile(0.5), 2),
        recovery_p95_s=round(tally.percentile(0.95), 2),
        violations=len(judgement.violations),
    )
    assert tally.kills + tally.broker_kills == KILLS
    assert judgement.rest.why == ""
    assert [str(each) for each in judgement.violations] == []


class Mixed:
    """Events of all kinds, and now and then one that was published before."""

    def __init__(self) -> None:
        self._before: list[Event] = []

    def __call__(self, dice: random.Random) -> Sequence[Event]:
        event_id = f"event-{len(self._before)}"
        [mode] = dice.choices(list(MODES), weights=list(MODES.values()))
        self._before.append(order(mode, event_id))
        chance = dice.random()
        if chance < STRANGE:
            return [self._before[-1], forged(f"forged-{event_id}"), stray(f"stray-{event_id}")]
        if chance < 2 * STRANGE:
            return [self._before[-1], dice.choice(self._before)]
        return [self._before[-1]]
