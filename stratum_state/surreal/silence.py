"""How long the owners of lanes were not heard of, as this process has seen it.

By no clock that can be set: a lane's row says how far it got, and an owner that lives gets
further again and again, if only by an empty batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stratum_state.surreal.lease import Seen


class _Heard(NamedTuple):
    epoch: int
    seq: int
    at: float


class Silence:
    """What was seen of each lane, and when it was seen to change."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}
        self._looked: float | None = None

    def look(self, lanes: Sequence[Seen], now: float) -> None:
        """Take note of all lanes; `now` is of the event loop's clock."""
        since = now - self._looked if self._looked is not None else 0.0
        before, self._heard, self._looked = self._heard, {}, now
        for each in lanes:
            known = before.get(each.lane)
            if known is None or (known.epoch, known.seq) != (each.epoch, each.seq):
                # Between the last look and this one; the database's clock may know better.
                ago = min(max(0.0, each.age_ms / 1000), since)
                known = _Heard(each.epoch, each.seq, now - ago)
            self._heard[each.lane] = known

    def of(self, lane: Seen, now: float) -> float:
        """Seconds; none when it was heard of since the last look."""
        known = self._heard.get(lane.lane)
        if known is None or (known.epoch, known.seq) != (lane.epoch, lane.seq):
            return 0
        return now - known.at
