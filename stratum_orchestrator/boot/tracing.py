"""Traces, when they are wanted: who sends them, and who is told."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import anyio
import anyio.to_thread

from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator import config
from stratum_orchestrator.boot.frame import Frame
from stratum_orchestrator.boot.records import Records
from stratum_orchestrator.config import BadConfig
from stratum_orchestrator.release import version
from stratum_orchestrator.telemetry.tracing import Told, Tracing
from stratum_orchestrator.trace import passed_on

log = logging.getLogger(__name__)

_LAST_SPANS_S = 5.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_MISSING = Diagnostic(
    file="telemetry.traces",
    message="the packages of OpenTelemetry are not installed",
    hint="pip install 'stratum[otel]'",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What who follows a run is told of its span."""

    told: Told = passed_on
    is_recorded: bool = False


class _Closing(Protocol):
    def close(self) -> None: ...


async def trace(frame: Frame, records: Records) -> Traces:
    """Send spans until the daemon ends, if they are wanted. BadConfig when that cannot be."""
    wanted = frame.settings.telemetry
    if not is_wanted(wanted.traces, wanted.endpoint, config.environment()):
        return Traces()
    try:
        from stratum_orchestrator.telemetry import export  # noqa: PLC0415 - dear, and an extra
    except ModuleNotFoundError:
        if wanted.traces == "on":
            raise BadConfig([_MISSING]) from None
        log.warning("no traces: packages missing", extra={"remedy": _MISSING.hint})
        return Traces()
    name = frame.settings.instance.name
    exporter = export.over_http(wanted.endpoint, instance=name, version=version())
    frame.stack.push_async_callback(_close, exporter)
    tracing = Tracing(exporter, records.tracker.trail)
    frame.ears.listeners.append(tracing.observe)
    log.info("traces are sent", extra={"endpoint": wanted.endpoint or "by OTEL_… variables"})
    return Traces(told=tracing.told, is_recorded=True)


def is_wanted(traces: str, endpoint: str, variables: Mapping[str, str]) -> bool:
    """Whether spans are to be sent."""
    if traces == "off" or variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return traces == "on" or bool(endpoint) or any(map(variables.get, _ENDPOINTS))


async def _close(exporter: _Closing) -> None:
    with anyio.move_on_after(_LAST_SPANS_S, shield=True):
        await anyio.to_thread.run_sync(exporter.close, abandon_on_cancel=True)
