"""The clock on the wall, and how its times are written."""

import time
from datetime import UTC, datetime


class WallClock:
    """Unix milliseconds. Durations come from the event loop, which no one can set."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def written(ms: int) -> str:
    """Unix milliseconds as `2026-01-31T12:34:56.789Z` (RFC 3339)."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
