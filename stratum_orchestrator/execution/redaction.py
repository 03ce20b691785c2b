"""Secrets stay out of what is recorded: wherever one is found, its name stands instead.

This is done once, where output enters, and on the whole of what is kept, so that it does not
matter in how many pieces it came. Found are the notations of `notations.py`, in whatever
`readings.py` makes of what came: wrapped over lines or in the cells of a table, escaped for
URLs, strings or markup. Not found is what somebody hides on purpose: reversed, compressed,
encrypted, as a dump of bytes, or bit by bit.
"""
# ruff: noqa: TRY003 - the message is all that the raised error consists of

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from stratum_orchestrator.execution.errors import CannotStart
from stratum_orchestrator.execution.notations import SHORTEST, notations
from stratum_orchestrator.execution.readings import columns, joined, readings, squeezed

_TELLING = 8
"""Bytes of a secret's beginning that count as the secret, where the text was cut off."""


class Span(NamedTuple):
    """Where a secret stands."""

    start: int
    end: int
    name: str


class Redactor:
    """Knows the secrets of one step."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Take the values by name; CannotStart when one is too short to be found."""
        self._patterns: dict[bytes, str] = {}
        self._squeezed: dict[bytes, str] = {}
        """The patterns without spaces, which tables lose where they wrap."""
        for name, value in secrets.items():
            if len(joined(value.encode(errors="surrogateescape"))) < SHORTEST:
                raise CannotStart(
                    f"the secret {name} has less than {SHORTEST} bytes, so it could not be kept"
                    " out of the records: make it longer, or declare it in `handler.env` if it"
                    " is none"
                )
            for notation in notations(value):
                for found, pattern in (
                    (self._patterns, joined(notation)),
                    (self._squeezed, squeezed(notation)),
                ):
                    if len(pattern) >= SHORTEST:
                        found.setdefault(pattern, name)
        self.margin = 2 * max(map(len, self._patterns), default=0)
        """Bytes that have to be seen beside what is kept, so that nothing is seen in part."""

    def spans(self, data: bytes, *, cut_off: bool = False) -> tuple[Span, ...]:
        """Return where secrets stand, in order, apart from each other.

        When the data was cut off at its end, the beginning of a secret there counts.
        """
        if not self._patterns:
            return ()
        found = [
            Span(*reading.place(start, end), name)
            for patterns, ways in (
                (self._patterns, readings(data)),
                (self._squeezed, columns(data)),
            )
            for reading in ways
            for pattern, name in patterns.items()
            for start, end in _occurrences(reading.text, pattern, cut_off=cut_off)
        ]
        return tuple(_united(sorted(found)))

    def names(self, data: bytes) -> tuple[str, ...]:
        """Return which secrets the data holds."""
        return tuple(dict.fromkeys(span.name for span in self.spans(data)))

    def data(self, data: bytes, *, cut_off: bool = False) -> bytes:
        """Return the data with each secret's name in its place."""
        return masked(data, self.spans(data, cut_off=cut_off))

    def text(self, text: str) -> str:
        """Likewise for text."""
        if not self._patterns:
            return text
        data = text.encode(errors="surrogateescape")
        return self.data(data).decode(errors="replace")

    def value(self, value: object) -> object:
        """Likewise for all text in a JSON value, however deep, the keys included."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(key)): self.value(each) for key, each in value.items()}
            case list():
                return [self.value(each) for each in value]
            case _:
                return value


def masked(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return the data with names in the place of the spans, which are in order."""
    parts, end = [], 0
    for span in spans:
        parts += [data[end : span.start], f"[redacted:{span.name}]".encode()]
        end = span.end
    return b"".join([*parts, data[end:]])


def _occurrences(data: bytes, pattern: bytes, *, cut_off: bool) -> Iterator[tuple[int, int]]:
    """Give the stretches that the pattern covers; it may overlap with itself."""
    start = data.find(pattern)
    while start >= 0:
        begin, end = start, start + len(pattern)
        start = data.find(pattern, start + 1)
        while 0 <= start <= end:
            end = start + len(pattern)
            start = data.find(pattern, start + 1)
        yield begin, end
    if cut_off:
        yield from _begun(data, pattern)


def _begun(data: bytes, pattern: bytes) -> Iterator[tuple[int, int]]:
    """Give the place at the end where the pattern begins, if it does."""
    start = data.find(pattern[:_TELLING], max(0, len(data) - len(pattern) + 1))
    while start >= 0:
        if pattern.startswith(data[start:]):
            yield start, len(data)
            return
        start = data.find(pattern[:_TELLING], start + 1)


def _united(spans: Iterable[Span]) -> Iterator[Span]:
    """Join the spans that overlap; the first of them gives its name."""
    last: Span | None = None
    for span in spans:
        if last is not None and span.start < last.end:
            last = last._replace(end=max(last.end, span.end))
        else:
            if last is not None:
                yield last
            last = span
    if last is not None:
        yield last
