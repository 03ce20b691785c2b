"""One seed is one history, here and in any other process."""

import os
import subprocess
import sys

import pytest

from support.simulation.history import held, play
from support.simulation.wanted import SEED

_DIGEST = "from support.simulation.history import play; print(play('4').digest)"


@pytest.mark.parametrize("name", ["4", "order@31+60"])
def test_the_same_name_is_the_same_history(name: str) -> None:
    assert play(name).digest == play(name).digest


def test_another_seed_is_another_history() -> None:
    assert play("4").digest != play("5").digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_plays_the_same_history(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}  # noqa: TID251 - handed on
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)

    told = subprocess.run(
        [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, check=True
    )

    assert told.stdout.decode().strip() == play("4").digest


@pytest.mark.skipif(not SEED, reason="STRATUM_SEED names no history to play again")
def test_the_history_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("", *play(SEED).trace, sep="\n")  # noqa: T201 - it was asked for

    held(SEED)
