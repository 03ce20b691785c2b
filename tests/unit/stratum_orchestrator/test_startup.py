"""Waiting at the start, and the exit codes."""

import pytest

from stratum_orchestrator.startup import code_of, patiently
from stratum_state.errors import (
    DiskFailed,
    Fenced,
    NewerSchema,
    NotLetIn,
    StateError,
    Unavailable,
)


async def test_what_comes_in_time_is_waited_for() -> None:
    failures = [Unavailable("away"), Unavailable("away")]

    async def attempt() -> str:
        if failures:
            raise failures.pop()
        return "there"

    assert await patiently(attempt, within_s=30) == "there"


@pytest.mark.parametrize("why", [NotLetIn("no"), DiskFailed("full"), NewerSchema(9, 1)])
async def test_what_waiting_does_not_mend_is_raised_at_once(why: StateError) -> None:
    async def attempt() -> None:
        raise why

    with pytest.raises(type(why)):
        await patiently(attempt, within_s=10**6)


async def test_patience_ends() -> None:
    async def attempt() -> None:
        raise Unavailable

    with pytest.raises(Unavailable):
        await patiently(attempt, within_s=0)


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (Unavailable(), 69),
        (DiskFailed(), 74),
        (Fenced("0", 1), 75),
        (NotLetIn(), 77),
        (NewerSchema(9, 1), 78),
        (RuntimeError(), 70),
    ],
)
def test_each_end_has_its_exit_code(why: Exception, code: int) -> None:
    assert code_of(why) == code
