"""The clock on the wall."""

import time


class WallClock:
    """Unix milliseconds. Durations come from the event loop, which no one can set."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
