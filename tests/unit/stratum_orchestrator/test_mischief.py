"""Mischief is made only when it is asked for, and only as much."""

import pytest

from stratum_orchestrator.mischief import NONE, VARIABLE, BadMischief, Mischief, wanted


def test_nothing_happens_unasked() -> None:
    assert wanted({}) == wanted({VARIABLE: ""}) == NONE
    assert not any(NONE.loses("event") for _ in range(100))


def test_shares_are_taken_from_the_environment() -> None:
    found = wanted({VARIABLE: '{"lost": 1, "slow": 0.5}'})

    assert found == Mischief(lost=1, slow=0.5)
    assert found.loses("answer")


@pytest.mark.parametrize("asked", ["much", '{"lots": 1}', '{"lost": 2}', '{"slow": -1}'])
def test_what_cannot_be_read_is_said_so(asked: str) -> None:
    with pytest.raises(BadMischief, match="give shares from 0 to 1"):
        wanted({VARIABLE: asked})
