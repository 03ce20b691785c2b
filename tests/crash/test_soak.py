"""A minute of everything at once; `bench/soak.py` is the same for as long as you like."""

import os
from pathlib import Path

import pytest

from support.soak import soak, soaked
from support.wear import judge

pytestmark = [pytest.mark.crash, pytest.mark.nightly, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("STRATUM_SOAK_SECONDS", "60"))  # noqa: TID251 - how long to test
MEMORY_A_RUN = 64 << 10
"""In so short a time, the caches of the database still fill."""


@pytest.mark.parametrize("kill", [False, True], ids=["faults", "faults and kills"])
async def test_nothing_wears_out_and_nobody_is_forgotten(tmp_path: Path, *, kill: bool) -> None:
    with soaked(tmp_path) as daemon:
        course = await soak(daemon, SECONDS, kill=kill, seed=1)

    found = list(judge(course, memory_a_run=MEMORY_A_RUN))
    assert [each for each in found if not each.ok] == []
    assert course.faults
    assert course.published > SECONDS
