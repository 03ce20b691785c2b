"""Spans on their way to a collector, by OTLP over HTTP. The only module with OpenTelemetry.

It is imported when traces are wanted, and never otherwise: the extra `otel` may be missing.
Which collector, with which headers, and how many traces of a hundred, say the variables of
OpenTelemetry: `OTEL_EXPORTER_OTLP_…`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`.
"""

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from stratum_orchestrator.telemetry.spans import Span
from stratum_orchestrator.trace import TraceContext

_NS_PER_MS = 1_000_000
_PATH = "/v1/traces"


class Exporter:
    """Hands spans to a thread that sends them in batches; a full queue drops the oldest."""

    def __init__(self, exporter: SpanExporter, *, instance: str, version: str) -> None:
        told = {
            "service.name": "stratum",
            "service.version": version,
            "service.instance.id": instance,
            "cicd.worker.id": instance,
        }
        self._resource = Resource.create(told)
        self._scope = InstrumentationScope("stratum", version)
        provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._sampler = provider.sampler
        self._exporter = exporter
        self._processor = BatchSpanProcessor(exporter)

    def wants(self, root: TraceContext) -> bool:
        """Decide by the id of the trace, so that every process decides alike."""
        found = self._sampler.should_sample(None, int(root.trace, 16), "RUN")
        return found.decision is Decision.RECORD_AND_SAMPLE

    def send(self, span: Span) -> None:
        """Queue it; never waits."""
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.own),
                parent=_context(span.parent) if span.parent else None,
                resource=self._resource,
                attributes=_said(span.attributes),
                kind=SpanKind[span.kind.name],
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=span.start * _NS_PER_MS,
                end_time=max(span.start, span.end) * _NS_PER_MS,
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send what is queued; blocks for as long as the collector takes."""
        self._processor.force_flush()
        self._exporter.shutdown()


def over_http(endpoint: str, *, instance: str, version: str) -> Exporter:
    """To the collector at the endpoint; without one, as OpenTelemetry's variables say."""
    target = endpoint.rstrip("/") + _PATH if endpoint else None
    return Exporter(OTLPSpanExporter(endpoint=target), instance=instance, version=version)


def _context(of: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if of.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(of.trace, 16), int(of.span, 16), is_remote=False, trace_flags=flags)


def _said(attributes: Mapping[str, str | int | bool | None]) -> dict[str, str | int | bool]:
    return {name: value for name, value in attributes.items() if value is not None}
