"""How many requests are in hand at a time: nobody can take up all of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from stratum_orchestrator.api.limits import MAX_OF_ONE, MAX_OF_OTHERS, MAX_REQUESTS
from stratum_orchestrator.api.problem import Problem
from stratum_orchestrator.api.visitor import Visitor
from stratum_orchestrator.home import HOMES_OWN

_NOBODY = ""


class Hands:
    """Counts requests by who asks. Who holds the home's token finds room whoever else asks."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def taking(self, visitor: Visitor | None) -> Iterator[None]:
        """One more, for the time of the block; a Problem when there is no room for it."""
        whose = visitor.digest if visitor else _NOBODY
        self._check(whose, is_home=visitor is not None and visitor.token == HOMES_OWN)
        self._of[whose] += 1
        try:
            yield
        finally:
            self._of[whose] -= 1
            if not self._of[whose]:
                del self._of[whose]

    def _check(self, whose: str, *, is_home: bool) -> None:
        in_hand = self._of.total()
        if in_hand >= (MAX_REQUESTS if is_home else MAX_OF_OTHERS):
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"{in_hand} requests are in hand already",
                "try again in a second",
            )
        if not is_home and self._of[whose] >= MAX_OF_ONE:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many",
                f"{MAX_OF_ONE} of your own requests are in hand already",
                "wait for some of them, or listen to /api/v1/events instead",
            )
