"""Ids that count down from a far time, so that their natural order is newest first."""

_WIDTH = 13
_END = 10**13
"""Milliseconds since 1970, in the year 2286."""


def mark(ms: int) -> str:
    """How the ids begin of what happened in that millisecond; smaller ones are newer."""
    return f"{_END - ms:0{_WIDTH}d}"


def bound(ms: int) -> str:
    """Likewise for any number: what lies before all time or behind it is at its end."""
    return f"{min(max(_END - ms, 0), _END - 1):0{_WIDTH}d}"


def moment(identity: str) -> int:
    """When it happened, in milliseconds."""
    return _END - int(identity[:_WIDTH])
