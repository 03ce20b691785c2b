"""What strangers do again and again fills no disk."""

import logging

import pytest

from stratum_orchestrator.seldom import EVERY_S, Seldom


def test_an_event_is_told_once_in_a_while_and_how_often_it_was_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    seldom = Seldom(logging.getLogger("stratum_orchestrator"), lambda: now[0])

    for _ in range(1000):
        seldom(logging.WARNING, "knocked", {"who": "a"})
    seldom(logging.WARNING, "rang", {})
    now[0] += EVERY_S
    seldom(logging.WARNING, "knocked", {"who": "b"})

    told = [
        (each.message, vars(each).get("who"), vars(each)["unsaid"]) for each in caplog.records
    ]
    assert told == [("knocked", "a", None), ("rang", None, None), ("knocked", "b", 999)]
