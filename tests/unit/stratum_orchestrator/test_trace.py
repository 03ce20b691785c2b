"""Ids of traces and spans follow from what is on record."""

import pytest

from stratum_orchestrator import trace
from stratum_orchestrator.trace import TraceContext

TOLD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_run_goes_on_in_the_trace_of_its_publisher() -> None:
    own = trace.of_run("r1", TOLD)

    assert own.trace == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert own.span != "00f067aa0ba902b7"
    assert own == trace.of_run("r1", TOLD)
    assert own.span != trace.of_run("r2", TOLD).span


def test_a_run_without_one_has_a_trace_of_its_own() -> None:
    own, other = trace.of_run("r1", None), trace.of_run("r2", None)

    assert own.trace != other.trace
    assert TraceContext.parse(str(own)) == own


def test_every_attempt_has_a_span_of_its_own() -> None:
    own = trace.of_run("r1", None)

    spans = {
        trace.of_attempt(own, kind, node, number).span
        for kind in ("do", "undo")
        for node in ("lint", "fmt")
        for number in (1, 2)
    }

    assert len(spans) == 8


def test_a_publisher_that_does_not_record_is_followed() -> None:
    assert not trace.of_run("r1", TOLD[:-1] + "0").sampled


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no context",
        TOLD.upper(),
        TOLD + "-more",
        "ff" + TOLD[2:],
        TOLD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        TOLD.replace("00f067aa0ba902b7", "0" * 16),
    ],
)
def test_what_is_no_context_is_ignored(said: str) -> None:
    assert trace.come_with({"traceparent": said}) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert trace.come_with({"Traceparent": f" cc{TOLD[2:]}-more "}) == TOLD
