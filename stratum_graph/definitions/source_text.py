"""The text of a Nickel file, read without evaluating it: imports, nesting, places of names.

Each pass takes time linear in the text: a hostile file cannot make the daemon wait.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

_IMPORT = re.compile(r"(?<![\w'-])import(?![\w'-])\s*")
_IMPORTED = re.compile(r'(m%+)?"([^"\n]{0,256})("?)')
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*")
_COMMENT_OR_TEXT = re.compile(
    r"""#[^\n]*"""
    r"""|(?:\bm|-s)(?P<fence>%+)"(?:(?!"(?P=fence)).)*(?:"(?P=fence))?"""
    r"""|"(?:\\.|[^"\\])*"?""",
    re.DOTALL,
)
_BRACKET = re.compile(r"[\[\](){}]")


class Place(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


class Import(NamedTuple):
    """What an `import` names, and where."""

    path: str
    place: Place
    problem: str
    """Why it is refused; empty when it is not."""


class Survey(NamedTuple):
    """What the text of a file tells before it is evaluated."""

    imports: tuple[Import, ...] = ()
    nesting: int = 0
    """How deep brackets are nested; those in comments and strings do not count."""
    garbled: str = ""
    """Why the file is no text; empty when it is."""


def survey(content: bytes) -> Survey:
    """Look through the bytes of a Nickel file."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return Survey(garbled=f"not UTF-8 text: {error.reason}")
    return Survey(imports=tuple(_imports(text)), nesting=_nesting(text))


def without_text(text: str) -> str:
    """Blank out comments and strings; every other character keeps its place."""
    return _COMMENT_OR_TEXT.sub(lambda part: re.sub(r"[^\n]", " ", part[0]), text)


def place_of_field(text: str, name: str, *, after_line: int = 1) -> Place | None:
    """Find where a record sets the field `name`, first in code, then with quotes."""
    lines = _Lines(text)
    start = lines.start_of(after_line)
    word = re.escape(name)
    bare = re.compile(rf"(?<![\w'.-]){word}(?![\w'-])(?=\s*[.=|,}}])")
    dotted = re.compile(rf"(?<=\.){word}(?![\w'-])(?=\s*[.=|,}}])")
    quoted = re.compile(rf'"{word}"(?=\s*[.=|])')
    code = without_text(text)
    for pattern, where in ((bare, code), (dotted, code), (quoted, text)):
        found = pattern.search(where, start)
        if found:
            return lines.place(found.start())
    return None


def place_of_text(text: str, value: str, *, after_line: int = 1) -> Place | None:
    """Find where the string `value` is written out."""
    lines = _Lines(text)
    position = text.find(f'"{value}"', lines.start_of(after_line))
    return lines.place(position) if position >= 0 else None


def _imports(text: str) -> Iterator[Import]:
    """Every path that an `import` could name.

    Words in comments and strings count too: to over-approximate is what makes it a fence.
    Nickel takes only literal paths, so nothing else can name one.
    """
    lines = _Lines(text)
    for found in _IMPORT.finditer(text):
        position = found.end()
        if text.startswith("#", position):
            position = lines.code_after(position)
        named = _IMPORTED.match(text, position)
        if named:
            path = named[2]
            refused = "" if named[3] and not named[1] else "its name is not plain text"
            yield Import(path, lines.place(position), refused or _problem_of(path))


def _nesting(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.finditer(without_text(text)):
        depth = depth + 1 if bracket[0] in "[({" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _problem_of(path: str) -> str:
    if path.startswith("/"):
        return "a definition cannot name an absolute path"
    if ".." in path.split("/"):
        return "`..` would leave the watched folder"
    if not _PLAIN_PATH.fullmatch(path):
        return "a path is made of letters, digits, `.`, `_`, `-` and `/`"
    return ""


class _Lines:
    """Where the lines of a text start."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._code: list[int] | None = None

    def place(self, position: int) -> Place:
        line = bisect_right(self._starts, position)
        return Place(line, position - self._starts[line - 1] + 1)

    def start_of(self, line: int) -> int:
        return self._starts[min(max(line, 1), len(self._starts)) - 1]

    def code_after(self, position: int) -> int:
        """Return where the first line after this one holds more than a comment."""
        if self._code is None:
            self._code = self._code_positions()
        line = bisect_right(self._starts, position)
        return self._code[line] if line < len(self._code) else len(self._text)

    def _code_positions(self) -> list[int]:
        """By line: the first character of code in it or in the lines below, from the end up."""
        positions = [len(self._text)] * len(self._starts)
        for number in range(len(self._starts) - 1, -1, -1):
            start = self._starts[number]
            end = (
                self._starts[number + 1] if number + 1 < len(self._starts) else len(self._text)
            )
            line = self._text[start:end]
            code = line.lstrip()
            if code and not code.startswith("#"):
                positions[number] = end - len(code)
            elif number + 1 < len(positions):
                positions[number] = positions[number + 1]
        return positions
