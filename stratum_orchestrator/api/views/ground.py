"""What all views share."""

import json

from stratum_orchestrator.clock import written

View = dict[str, object]


def iso(ms: int | None) -> str | None:
    """Unix milliseconds as `2026-01-31T12:34:56.789Z`; None stays None."""
    return None if ms is None else written(ms)


def decoded(canonical: str | None) -> object:
    return None if canonical is None else json.loads(canonical)
