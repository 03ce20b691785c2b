"""Who is silent is told by what was seen of them, whatever any clock says."""

import pytest

from stratum_state.surreal.lease import Seen
from stratum_state.surreal.silence import Silence


def a_lane(seq: int, age_ms: int = 0, epoch: int = 1) -> Seen:
    return Seen("0", epoch, seq, "one", is_free=False, age_ms=age_ms)


@pytest.mark.parametrize("age_ms", [0, 10**10, -(10**10)])
def test_a_lane_that_goes_on_is_never_silent_however_the_clock_jumps(age_ms: int) -> None:
    silence = Silence()

    for now in range(5):
        silence.look([a_lane(seq=now, age_ms=age_ms)], now)
        assert silence.of(a_lane(seq=now, age_ms=age_ms), now) <= 1


@pytest.mark.parametrize("age_ms", [0, 10**10, -(10**10)])
def test_a_lane_that_stands_still_is_silent_however_the_clock_jumps(age_ms: int) -> None:
    silence = Silence()

    for now in range(11):
        silence.look([a_lane(seq=7, age_ms=age_ms)], now)

    assert silence.of(a_lane(seq=7), 10) == 10


def test_a_lane_that_was_heard_of_since_the_last_look_is_not_silent() -> None:
    silence = Silence()
    silence.look([a_lane(seq=1)], 0)

    assert silence.of(a_lane(seq=1), 9) == 9
    assert silence.of(a_lane(seq=2), 9) == 0
    assert silence.of(a_lane(seq=1, epoch=2), 9) == 0


def test_between_two_looks_the_age_on_record_counts() -> None:
    silence = Silence()
    silence.look([a_lane(seq=1)], 0)

    silence.look([a_lane(seq=2, age_ms=300)], 1)

    assert silence.of(a_lane(seq=2), 5) == pytest.approx(4.3)
