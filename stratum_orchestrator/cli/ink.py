"""Text on its way to a terminal: cleaned of controls, cut into spans that have a style."""

import json
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

Style = Literal["", "good", "bad", "warn", "busy", "undo", "dim", "strong", "head"]
CODES: dict[Style, str] = {
    "good": "32",
    "bad": "31;1",
    "warn": "33",
    "busy": "36",
    "undo": "35",
    "dim": "2",
    "strong": "1",
    "head": "2;4",
}
"""SGR parameters (ECMA-48) of each style."""

_SPACES = frozenset("\n\r\t\v\f\x85\u2028\u2029")
_STEERING = frozenset({"Cc", "Cf", "Cs", "Co"})  # controls, bidi and invisibles, surrogates


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    style: Style = ""


Line = Sequence[Span]


def clean(foreign: str) -> str:
    """The text on one line, without anything that could steer or deceive a terminal."""
    if foreign.isascii() and foreign.isprintable():
        return foreign
    return "".join(_kept(char) for char in foreign)


def plain(line: Line) -> str:
    """The line without styles."""
    return "".join(clean(span.text) for span in line).rstrip()


def inked(line: Line) -> str:
    """The line with its styles as escape sequences."""
    return "".join(_inked(clean(span.text), span.style) for span in line)


def width(text: str) -> int:
    """Columns that the text takes; wide characters take two (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
        if not unicodedata.combining(char)
    )


def fit(line: Line, columns: int) -> Line:
    """The line cut to so many columns, with an ellipsis where something is left out."""
    left = columns
    fitted: list[Span] = []
    for span in _without_blank_end(line):
        text = clean(span.text)
        if width(text) > left:
            return [*fitted, Span(_cut(text, max(0, left - 1)) + "…", span.style)]
        left -= width(text)
        fitted.append(Span(text, span.style))
    return fitted


def compact(value: object) -> str:
    """A JSON value on one line, as people write it."""
    return json.dumps(value, ensure_ascii=False)


def pad(text: str, columns: int) -> str:
    """The text, cleaned, with spaces up to so many columns."""
    cleaned = clean(text)
    return cleaned + " " * max(0, columns - width(cleaned))


def _without_blank_end(line: Line) -> Line:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Span(kept[-1].text.rstrip(), kept[-1].style)
    return kept


def _cut(text: str, columns: int) -> str:
    while width(text) > columns:
        text = text[: max(columns, len(text) - 1 - (width(text) - columns) // 2)][:-1]
    return text


def _inked(text: str, style: Style) -> str:
    return f"\x1b[{CODES[style]}m{text}\x1b[0m" if style and text else text


def _kept(char: str) -> str:
    if char in _SPACES:
        return " "
    return "" if unicodedata.category(char) in _STEERING else char
