"""Text as it reads when what a program did to it is undone, and where each byte of that stood.

Programs wrap lines, put a text into the cells of a table, and escape what means something to
whoever reads it next: in URLs, in strings of JSON and shells, in markup.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

_WRAP = rb"[\r\n][ \t\r\n]*(?:(?:\||\xe2\x94\x82)[ \t\r\n]*)*"
"""A line's end, and how Nushell begins the next line of a message in an error report."""
_BORDER = "│".encode()
_WIDEST = 64  # cells: nobody reads wider tables, and all that is read takes its time
_WORD = re.compile(rb"[^ \t\r]+")
_LETTERS: Mapping[bytes, bytes] = {b"n": b"", b"r": b"", b"t": b"\t", b"0": b"\0"}

Meaning = Callable[[re.Match[bytes]], bytes]


class Piece(NamedTuple):
    """Some bytes of a reading, and from where to where they stood."""

    read: bytes
    start: int
    end: int


class Reading:
    """One way to read some text."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = [each for each in pieces if each.read]
        self._at = [0]
        for each in self._pieces:
            self._at.append(self._at[-1] + len(each.read))
        self.text = b"".join(each.read for each in self._pieces)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """From where to where that stood which reads from `start` to `end`."""
        first, last = self._piece(start), self._piece(end - 1)
        begin, stop = self._pieces[first], self._pieces[last]
        return (
            begin.start + (start - self._at[first] if _is_plain(begin) else 0),
            stop.start + end - self._at[last] if _is_plain(stop) else stop.end,
        )

    def _piece(self, position: int) -> int:
        return bisect_right(self._at, position) - 1


def _is_plain(piece: Piece) -> bool:
    return len(piece.read) == piece.end - piece.start


def readings(data: bytes) -> Iterator[Reading]:
    """With its lines joined; and whatever else may be undone in it."""
    yield Reading(_undone(data, _LINES, lambda _: b""))
    for sign, (pattern, meaning) in _ESCAPES.items():
        if sign in data:
            yield Reading(_undone(data, pattern, meaning))


def columns(data: bytes) -> Iterator[Reading]:
    """The columns of the tables in it, each by itself, with nothing between its words."""
    for table in _tables(data) if _BORDER in data else ():
        for number in range(min(map(len, table))):
            yield Reading(piece for row in table for piece in row[number])


def joined(data: bytes) -> bytes:
    """The data with its lines joined."""
    return _LINES.sub(b"", data.strip())


def squeezed(data: bytes) -> bytes:
    """The data without what stands between words."""
    return b"".join(_WORD.findall(joined(data)))


def _undone(data: bytes, pattern: re.Pattern[bytes], meaning: Meaning) -> Iterator[Piece]:
    end = 0
    for unit in pattern.finditer(data):
        yield Piece(data[end : unit.start()], end, unit.start())
        yield Piece(meaning(unit), unit.start(), unit.end())
        end = unit.end()
    yield Piece(data[end:], end, len(data))


_Row = Sequence[Sequence[Piece]]
"""By cell, its words."""


def _tables(data: bytes) -> Iterator[Sequence[_Row]]:
    """Rows that stand below each other and have as many cells, not more than `_WIDEST`."""
    for cells, rows in groupby(_rows(data), key=len):
        table = list(rows)
        if 0 < cells <= _WIDEST and len(table) > 1:
            yield table


def _rows(data: bytes) -> Iterator[_Row]:
    at = 0
    for line in data.split(b"\n"):
        yield _row(line, at)
        at += len(line) + 1


def _row(line: bytes, at: int) -> _Row:
    if line.count(_BORDER) > _WIDEST:
        return ()
    borders = [each.start() for each in re.finditer(re.escape(_BORDER), line)]
    cells = pairwise([*borders, len(line)])
    return [_words(line, start + len(_BORDER), end, at) for start, end in cells]


def _words(line: bytes, start: int, end: int, at: int) -> Sequence[Piece]:
    found = _WORD.finditer(line, start, end)
    return [Piece(each[0], at + each.start(), at + each.end()) for each in found]


def _of_percent(unit: re.Match[bytes]) -> bytes:
    return bytes.fromhex(unit[1].decode()) if unit[1] else b""


def _of_backslash(unit: re.Match[bytes]) -> bytes:
    """What follows a backslash in JSON, in Python and in shells."""
    said = unit[1] or b""
    if said[:1] in {b"u", b"x"} and len(said) > 1:
        character = int(said[1:], 16)
        is_byte = said[:1] == b"x"
        return bytes([character]) if is_byte else chr(character).encode(errors="replace")
    if len(said) == 3:  # noqa: PLR2004 - octal digits
        return bytes([int(said, 8) & 0xFF])
    return _LETTERS.get(said, said)


def _of_entity(unit: re.Match[bytes]) -> bytes:
    return html.unescape(unit[1].decode()).encode(errors="replace") if unit[1] else b""


def _with_wraps(escape: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:%s)|%s" % (escape, _WRAP), re.DOTALL)


_LINES = re.compile(_WRAP)
_ESCAPES: Mapping[bytes, tuple[re.Pattern[bytes], Meaning]] = {
    b"%": (_with_wraps(rb"%([0-9A-Fa-f]{2})"), _of_percent),
    b"\\": (
        _with_wraps(rb"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|.)"),
        _of_backslash,
    ),
    b"&": (_with_wraps(rb"(&(?:#[0-9]{1,6}|#x[0-9A-Fa-f]{1,6}|[a-z]{2,4});)"), _of_entity),
}
