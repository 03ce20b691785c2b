"""A minute of everything at once; `bench/soak.py` is the same for as long as you like."""

import os
from pathlib import Path

import pytest

from support.chaos import Record, tell
from support.soak import FORGETS, soak, soaked, wear
from support.wear import judge, judge_plateau

pytestmark = [pytest.mark.crash, pytest.mark.nightly, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("STRATUM_SOAK_SECONDS", "60"))  # noqa: TID251 - how long to test
LONG_S = 600
MEMORY_A_RUN = (24 if SECONDS >= LONG_S else 64) << 10
"""In a short time, the caches of the database still fill."""


@pytest.mark.parametrize("kill", [False, True], ids=["faults", "faults and kills"])
async def test_nothing_wears_out_and_nobody_is_forgotten(
    tmp_path: Path, record_property: Record, *, kill: bool
) -> None:
    with soaked(tmp_path) as daemon:
        course = await soak(daemon, SECONDS, kill=kill, seed=1)

    found = list(judge(course, memory_a_run=MEMORY_A_RUN))
    tell(record_property, events=course.published, **course.faults)
    tell(record_property, **{each.name: each.said for each in found if "stay" in each.name})
    assert [each for each in found if not each.ok] == []
    assert course.faults
    assert course.published > SECONDS


async def test_what_is_forgotten_as_fast_as_it_comes_takes_no_more_room(
    tmp_path: Path, record_property: Record
) -> None:
    with soaked(tmp_path, FORGETS) as daemon:
        course = await wear(daemon, max(SECONDS, LONG_S), seed=1)

    found = list(judge_plateau(course))
    tell(record_property, **{each.name: each.said for each in found})
    assert [each for each in found if not each.ok] == []
