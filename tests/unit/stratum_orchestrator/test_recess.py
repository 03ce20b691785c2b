"""Runs that wait for people, in the order in which their time is up."""

from stratum_orchestrator.saga.recess import Recess


def late(recess: Recess, now: int) -> list[str]:
    """All whose time is up, as they are met."""
    found = []
    while (run := recess.late(now)) is not None:
        recess.leave(run)
        found.append(run)
    return found


def test_the_one_that_waits_longest_for_too_long_comes_first() -> None:
    recess = Recess()
    for run, deadline in (("c", 30), ("a", 10), ("d", 40), ("b", 20)):
        recess.seat(run, deadline)

    assert late(recess, 9) == []
    assert late(recess, 30) == ["a", "b", "c"]
    assert len(recess) == 1


def test_who_left_or_waits_for_something_else_is_not_late() -> None:
    recess = Recess()
    for run in ("gone", "again"):
        recess.seat(run, 10)
    recess.leave("gone")
    recess.leave("again")
    recess.seat("again", 50)

    assert late(recess, 49) == []
    assert late(recess, 50) == ["again"]


def test_a_run_that_comes_and_goes_leaves_nothing_behind() -> None:
    recess = Recess()
    for _ in range(100):
        recess.seat("same", 10)

    assert late(recess, 10) == ["same"]
    assert recess.late(10) is None
