"""Traces cost nothing unless somebody wants them."""

import subprocess
import sys

import pytest

from stratum_orchestrator.boot.tracing import is_wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("traces", "endpoint", "variables", "wanted"),
    [
        ("auto", "", {}, False),
        ("auto", "http://127.0.0.1:4318", {}, True),
        ("auto", "", ENDPOINT, True),
        ("auto", "", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ("on", "", {}, True),
        ("off", "http://127.0.0.1:4318", ENDPOINT, False),
        ("on", "", ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_traces_are_sent_when_there_is_somebody_to_take_them(
    traces: str,
    endpoint: str,
    variables: dict[str, str],
    wanted: bool,  # noqa: FBT001
) -> None:
    assert is_wanted(traces, endpoint, variables) is wanted


def test_a_daemon_without_traces_does_not_know_opentelemetry() -> None:
    code = (
        "import sys, stratum_orchestrator.boot.daemon\n"
        "print(*(each for each in sys.modules if each.startswith('opentelemetry')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
