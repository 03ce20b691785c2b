"""The daemon is killed at every single boundary, and at pairs of them."""

from collections import Counter

import pytest

from support.simulation.graphs import DIAMOND, GRAPHS, Graph
from support.simulation.history import held
from support.simulation.wanted import IS_LONG

pytestmark = pytest.mark.timeout(900 if IS_LONG else 180)

_EVERY = 1 if IS_LONG else 6  # of the pairs; which ones differs with the first kill


@pytest.mark.parametrize("graph", GRAPHS, ids=[each.name for each in GRAPHS])
def test_killed_at_any_boundary_a_run_keeps_its_promises(graph: Graph) -> None:
    boundaries = held(graph.name).boundaries

    for number in range(1, boundaries + 1):
        seen = held(f"{graph.name}@{number}").seen
        assert sum(seen[each] for each in seen if each.startswith("killed at ")) == 1


def test_killed_at_any_boundary_another_instance_takes_over() -> None:
    boundaries = held("diamond*2").boundaries
    seen: Counter[str] = Counter()

    for number in range(1, boundaries + 1):
        seen.update(held(f"diamond*2@{number}").seen)

    assert seen["run taken over"]
    assert seen["run completed"] == boundaries


def test_killed_again_while_it_recovers_a_run_keeps_its_promises() -> None:
    boundaries = held(DIAMOND.name).boundaries
    seen: Counter[str] = Counter()

    for first in range(1, boundaries + 1):
        after = held(f"{DIAMOND.name}@{first}").boundaries
        for second in range(first + 1 + first % _EVERY, after + 1, _EVERY):
            seen.update(held(f"{DIAMOND.name}@{first}+{second}").seen)

    assert seen["killed at store read unfinished"]
    assert seen["run completed"] > boundaries
