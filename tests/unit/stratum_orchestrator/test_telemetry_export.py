"""Spans as OpenTelemetry's own SDK has them."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from stratum_orchestrator.telemetry import spans
from stratum_orchestrator.telemetry.export import Exporter
from stratum_orchestrator.trace import of_run
from support import records

TOLD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_span_arrives_with_its_ids_times_and_source() -> None:
    memory, run = InMemorySpanExporter(), records.completed(records.running(records.a_run()))
    exporter = Exporter(memory, instance="one", version="1.2.3")

    own = of_run(run.id, TOLD)
    exporter.send(spans.run(run, own))
    exporter.close()

    [span] = memory.get_finished_spans()
    assert span.name == "RUN build"
    assert span.kind is SpanKind.SERVER
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert f"{span.context.span_id:016x}" == own.span
    assert span.start_time == records.NOW * 10**6
    assert span.end_time == (records.NOW + 100) * 10**6
    assert span.resource.attributes["service.instance.id"] == "one"
    assert span.attributes is not None
    assert span.attributes["cicd.pipeline.run.id"] == run.id
    assert "error.type" not in span.attributes


def test_what_failed_is_marked_as_an_error() -> None:
    memory = InMemorySpanExporter()
    exporter = Exporter(memory, instance="one", version="1.2.3")
    step = records.failed(records.a_step(records.a_run()))

    exporter.send(spans.attempt(step, of_run(step.run, None)))
    exporter.close()

    [span] = memory.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.parent is not None


def test_a_sampler_decides_alike_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    roots = [of_run(f"r{number}", None) for number in range(64)]

    exporters = [Exporter(InMemorySpanExporter(), instance=x, version="") for x in ("a", "b")]
    one, other = ([each.wants(root) for root in roots] for each in exporters)

    assert one == other
    assert 0 < sum(one) < len(roots)
