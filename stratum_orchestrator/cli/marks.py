"""The sign and the color of each status. The word itself is always printed beside it."""

from typing import NamedTuple

from stratum_orchestrator.cli.ink import Span, Style


class Mark(NamedTuple):
    """How a status looks."""

    sign: str
    ascii: str
    style: Style


_UNKNOWN = Mark("?", "?", "warn")
_MARKS = {
    "accepted": Mark("○", "o", "busy"),
    "running": Mark("●", "*", "busy"),
    "started": Mark("●", "*", "busy"),
    "suspended": Mark("◐", "=", "warn"),
    "completed": Mark("✔", "+", "good"),
    "succeeded": Mark("✔", "+", "good"),
    "done": Mark("↩", "<", "undo"),
    "compensating": Mark("↩", "<", "undo"),
    "compensated": Mark("↩", "<", "undo"),
    "failed": Mark("✖", "x", "bad"),
    "timed-out": Mark("✖", "x", "bad"),
    "abandoned": Mark("✖", "x", "bad"),
    "refused": Mark("✖", "x", "bad"),
    "cancelled": Mark("■", "#", "warn"),
    "lost": Mark("■", "#", "warn"),
    "waived": Mark("■", "#", "warn"),
    "asked": Mark("?", "?", "warn"),
    "open": Mark("?", "?", "warn"),
    "approved": Mark("✔", "+", "good"),
    "rejected": Mark("✖", "x", "bad"),
    "withdrawn": Mark("◌", "-", "dim"),
    "skipped": Mark("◌", "-", "dim"),
    "waiting": Mark("·", ".", "dim"),
    "not reached": Mark("·", ".", "dim"),
    "duplicate": Mark("=", "=", "dim"),
    "no-pipeline": Mark("∅", "-", "warn"),
    "requested": Mark("·", ".", "dim"),
    "issued": Mark("●", "*", "busy"),
    "revoked": Mark("✔", "+", "good"),
    "expired": Mark("■", "#", "warn"),
    "void": Mark("◌", "-", "dim"),
    "clean": Mark("↩", "<", "undo"),
    "partial": Mark("✖", "x", "bad"),
    "ok": Mark("✔", "+", "good"),
    "warn": Mark("!", "!", "warn"),
    "fail": Mark("✖", "x", "bad"),
}


def mark(status: str) -> Mark:
    """How the status looks; something visible for one that is not known here."""
    return _MARKS.get(status, _UNKNOWN)


def sign(status: str, *, unicode: bool) -> Span:
    """The sign of the status, in its color."""
    found = mark(status)
    return Span(found.sign if unicode else found.ascii, found.style)


def word(status: str, columns: int = 0) -> Span:
    """The status as a word, in its color, padded to so many columns."""
    return Span(status.ljust(columns), mark(status).style)
