"""The oracle finds nothing in an honest history, and each broken promise by its name."""

import pytest

from stratum_orchestrator.audit.oracle import check
from support.lies import DIAMOND, LIES, ORDER, Lie, failing_siblings
from support.story import Story, told


@pytest.mark.parametrize("story", [DIAMOND, ORDER, told("wide"), failing_siblings()])
def test_an_honest_history_has_nothing_wrong(story: Story) -> None:
    assert check(story.observed()) == ()


@pytest.mark.parametrize(("invariant", "lie"), LIES.values(), ids=LIES.keys())
def test_a_broken_promise_is_found_and_no_other(invariant: str, lie: Lie) -> None:
    found = check(lie().observed())

    assert {each.invariant for each in found} == {invariant}, "\n".join(map(str, found))
