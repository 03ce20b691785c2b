"""What all views share."""

import json
from datetime import UTC, datetime

View = dict[str, object]


def iso(ms: int | None) -> str | None:
    """Unix milliseconds as `2026-01-31T12:34:56.789Z`; None stays None."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decoded(canonical: str | None) -> object:
    return None if canonical is None else json.loads(canonical)
