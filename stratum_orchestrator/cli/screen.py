"""Where a command writes: tables and lines for people, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

import click

from stratum_orchestrator.cli.ink import Line, Span, fit, inked, pad, plain, width
from stratum_orchestrator.cli.moment import Times, when

Output = Literal["table", "json", "jsonl"]
_GAP = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What stdout is, and in which form it wants to be told."""

    output: Output = "table"
    times: Times = "utc"
    terminal: bool = False
    color: bool = False
    unicode: bool = True

    @classmethod
    def of_stdout(cls, *, output: Output, times: Times | None, color: bool) -> Self:
        """A screen that suits the process's stdout."""
        terminal = sys.stdout.isatty()
        return cls(
            output=output,
            times=times or ("relative" if terminal else "utc"),
            terminal=terminal,
            color=color and terminal,
            unicode=_speaks_unicode(sys.stdout.encoding or "ascii"),
        )

    @property
    def for_people(self) -> bool:
        return self.output == "table"

    @property
    def columns(self) -> int:
        """Columns that lines may be cut to; without a terminal nothing is ever cut."""
        return shutil.get_terminal_size().columns if self.terminal else sys.maxsize

    def now(self) -> datetime:
        return datetime.now(UTC)

    def when(self, iso: str | None) -> str:
        return when(iso, self.times, self.now())

    def line(self, *spans: Span | str) -> None:
        """Write one line."""
        self.lines([[Span(each) if isinstance(each, str) else each for each in spans]])

    def lines(self, lines: Iterable[Line]) -> None:
        """Write lines, styled when somebody looks at them."""
        draw = inked if self.color else plain
        for line in lines:
            text = draw(line)
            if not self.unicode:
                text = text.encode("ascii", "replace").decode()
            click.echo(text, color=self.color)

    def note(self, text: str) -> None:
        """Tell people something beside the output, on stderr."""
        if self.for_people:
            click.echo(plain([Span(text)]), err=True)

    def value(self, value: object) -> None:
        """Write one JSON document: indented for `json`, on one line for `jsonl`."""
        click.echo(json.dumps(value, indent=None if self.output == "jsonl" else 2))

    def values(self, values: Sequence[object]) -> None:
        """Write many: one array for `json`, one line for each for `jsonl`."""
        if self.output == "json":
            self.value(list(values))
            return
        for each in values:
            self.value(each)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Span]]) -> None:
        """Write rows in columns as wide as their widest cell."""
        widths = [
            max(width(head), *(width(pad(row[at].text, 0)) for row in rows)) if rows else 0
            for at, head in enumerate(heads)
        ]
        if not rows:
            return
        header = [Span(head.upper(), "dim") for head in heads]
        lines = [_aligned(row, widths) for row in [header, *rows]]
        self.lines([fit(line, self.columns) for line in lines] if self.terminal else lines)

    def fields(self, fields: Mapping[str, Span | str]) -> None:
        """Write names and values below each other."""
        columns = max(map(len, fields), default=0)
        for name, value in fields.items():
            self.line(Span(pad(name, columns + len(_GAP)), "dim"), value)


def _aligned(row: Sequence[Span], widths: Sequence[int]) -> Line:
    spans = [
        Span(pad(cell.text, columns) + _GAP, cell.style)
        for cell, columns in zip(row[:-1], widths[:-1], strict=True)
    ]
    return [*spans, row[-1]]


def _speaks_unicode(encoding: str) -> bool:
    try:
        "●✔✖↩┬└─".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
