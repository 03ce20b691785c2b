"""Who asks has its part of what can be in hand, and the home's own token always finds room."""

from contextlib import ExitStack

import pytest

from stratum_graph.model import Principal
from stratum_orchestrator.api.hands import Hands
from stratum_orchestrator.api.limits import MAX_OF_ONE, MAX_OF_OTHERS, MAX_REQUESTS
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import Visitor
from stratum_orchestrator.home import HOMES_OWN


def visitor(token: str) -> Visitor:
    return Visitor(principal=Principal(key="U", name="x"), token=token, digest=f"of {token}")


def taken(hands: Hands, stack: ExitStack, whose: Visitor | None, most: int) -> tuple[int, str]:
    """How many one may have in hand, and why not one more."""
    for count in range(most):
        try:
            stack.enter_context(hands.taking(whose))
        except Problem as why:
            return count, why.code
    return most, ""


def test_each_token_and_those_without_one_have_their_part() -> None:
    with ExitStack() as stack:
        hands = Hands()

        assert taken(hands, stack, visitor("a"), MAX_REQUESTS) == (MAX_OF_ONE, "too-many")
        assert taken(hands, stack, None, MAX_REQUESTS) == (MAX_OF_ONE, "too-many")


def test_the_home_finds_room_whoever_else_asks() -> None:
    with ExitStack() as stack:
        hands = Hands()
        others = [taken(hands, stack, visitor(each), MAX_REQUESTS)[0] for each in "abcdefg"]

        assert sum(others) == MAX_OF_OTHERS
        assert taken(hands, stack, visitor("z"), 1) == (0, "busy")
        left = MAX_REQUESTS - MAX_OF_OTHERS
        assert taken(hands, stack, visitor(HOMES_OWN), MAX_REQUESTS) == (left, "busy")


def test_what_is_done_makes_room() -> None:
    hands = Hands()
    for _ in range(3 * MAX_OF_ONE):
        with hands.taking(visitor("a")):
            pass

    with pytest.raises(ZeroDivisionError), hands.taking(None):
        _ = 1 / 0
    with ExitStack() as stack:
        assert taken(hands, stack, None, MAX_OF_ONE) == (MAX_OF_ONE, "")
