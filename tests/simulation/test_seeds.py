"""Histories drawn from seeds: kills, faults, clocks that jump, redeliveries, cancellations."""

import logging
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from support.simulation.history import held
from support.simulation.wanted import FROM, IS_LONG, RUNS
from support.simulation.world import KINDS

pytestmark = pytest.mark.timeout(120 + RUNS)

_ENOUGH = 200  # histories in which everything should have been seen
_TOLD_EVERY = 1000
_SOMETIMES = (
    *(f"killed at {kind}" for kind in KINDS),
    *("redelivery", "answer lost", "answered later", "duplicate do", "duplicate undo"),
    *("happened after the kill", "committed after the kill", "clock jumped"),
    *("store broke before the commit", "store broke after the commit"),
    *("store could not be read", "asked to stop", "run resumed"),
    *("paused", "fenced", "lane adopted", "run taken over", "acted after it was fenced"),
    *("operator: cancel", "operator: abandon", "operator: retry"),
    *("operator: undo again", "operator: waive"),
    *("process cancelled", "process timed out"),
    *("people: approve", "people: reject", "people: approve refused"),
    *("question approved", "question rejected", "question timed-out", "question withdrawn"),
    *("run completed", "run clean", "run partial", "run abandoned"),
)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """What is logged would be kept, and more of it is than all else."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_whatever_goes_wrong_the_promises_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    began = time.monotonic()

    for count, seed in enumerate(range(FROM, FROM + RUNS), start=1):
        seen.update(held(str(seed)).seen)
        if IS_LONG and (count % _TOLD_EVERY == 0 or count == RUNS):
            rate = count / (time.monotonic() - began)
            with capsys.disabled():
                print(f"{count} histories, {rate:.0f}/s; go on: STRATUM_SIM_FROM={seed + 1}")  # noqa: T201 - for whoever waits

    never = [each for each in _SOMETIMES if not seen[each]]
    assert not never or RUNS < _ENOUGH, f"nothing shows that these are survived: {never}"
