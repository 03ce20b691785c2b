"""Telling of what strangers can bring about as often as they like: now and then."""

import logging
import time
from collections.abc import Callable, Mapping

EVERY_S = 10.0


class Seldom:
    """A logger that says each event once in `EVERY_S`, and how often it was left unsaid."""

    def __init__(
        self, log: logging.Logger, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._now_s = now_s
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def __call__(self, level: int, event: str, facts: Mapping[str, object]) -> None:
        """Log the event, unless it was logged a moment ago; events are few and constant."""
        now = self._now_s()
        if now < self._said.get(event, -EVERY_S) + EVERY_S:
            self._unsaid[event] = self._unsaid.get(event, 0) + 1
            return
        self._said[event] = now
        self._log.log(
            level, event, extra={**facts, "unsaid": self._unsaid.pop(event, 0) or None}
        )
