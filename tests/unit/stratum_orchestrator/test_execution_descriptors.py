"""How many steps the descriptors of the process are enough for."""

import resource

import pytest

from stratum_orchestrator.execution.descriptors import EACH, OWN, most_steps
from stratum_orchestrator.execution.errors import TooFewDescriptors


@pytest.mark.parametrize(
    ("limit", "steps"),
    [
        (OWN + EACH, 1),
        (OWN + 3 * EACH - 1, 2),
        (OWN + 99 * EACH, 8),
        (resource.RLIM_INFINITY, 8),
    ],
)
def test_no_more_steps_run_than_have_descriptors(limit: int, steps: int) -> None:
    assert most_steps(8, limit) == steps


def test_a_limit_below_the_needs_of_one_step_is_refused_with_the_remedy() -> None:
    with pytest.raises(TooFewDescriptors, match="raise the hard limit"):
        most_steps(8, OWN)
