"""Times and durations as people read them."""

from datetime import UTC, datetime, timedelta
from typing import Literal

Times = Literal["relative", "utc", "local", "unix"]
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TEN = 10


def parse(iso: str) -> datetime:
    """The moment that the API wrote; ValueError when it is none."""
    return datetime.fromisoformat(iso)


def when(iso: str | None, times: Times, now: datetime) -> str:
    """The moment as `3m ago`, in UTC, in this machine's time or in seconds; `-` for none."""
    if iso is None:
        return "-"
    match times:
        case "utc":
            return iso
        case "local":
            return parse(iso).astimezone().isoformat(timespec="milliseconds")
        case "unix":
            return _unix(iso)
        case "relative":
            age = (now - parse(iso)).total_seconds()
            return "now" if age < 1 else f"{coarse(age)} ago"


def clock(iso: str | None, times: Times = "utc") -> str:
    """The time of day with milliseconds, for lines that follow each other.

    In UTC, unless local time or seconds are asked for.
    """
    if iso is None:
        return " " * 12
    if times == "unix":
        return _unix(iso)
    zone = None if times == "local" else UTC
    return parse(iso).astimezone(zone).strftime("%H:%M:%S.%f")[:-3]


def between(start: str | None, end: str | None, now: datetime) -> timedelta | None:
    """The time from the start to the end, or to now when it has not ended."""
    if start is None:
        return None
    return max(timedelta(), (parse(end) if end else now) - parse(start))


def spent(duration: timedelta | None) -> str:
    """A duration as `0.42s`, `12.3s`, `3m 02s`, `2h 05m`; empty for none."""
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    if seconds < _TEN:
        return f"{seconds:.2f}s"
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)}m {int(seconds % _MINUTE):02d}s"
    return f"{int(seconds // _HOUR)}h {int(seconds % _HOUR // _MINUTE):02d}m"


def coarse(seconds: float) -> str:
    """A duration in its largest unit: `3m`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)}{name}"
    return f"{int(seconds)}s"


def _unix(iso: str) -> str:
    return f"{parse(iso).timestamp():.3f}"
