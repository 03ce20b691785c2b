"""Nickel's error texts, turned into a place, a message in plain words and a remedy."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from stratum_graph.definitions import source_text
from stratum_graph.definitions.source_text import Place
from stratum_graph.diagnostics import Diagnostic

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_HEAD = re.compile(r"(?:error|bug)(?:\[[^\]]*\])?: (.*)")
_PLACE = re.compile(r"\s*┌─ (.*):(\d+):(\d+)")
_SNIPPET = re.compile(r"\s*(\d+|·)?\s*│ ?(.*)")
_NOTE = re.compile(r"\s*= (.*)")
_MARK = re.compile(r"(\^+|-+)\s+(\S.*?)\s*$")
_BROKEN = re.compile(r"contract broken by (?:the value of `(.*)`|.*)")
_MISSING = re.compile(r"missing definition for `(.*)`")
_NO_IMPORT = re.compile(r"import of (.*) failed: could not find import.*")
_EXTRA = re.compile(r"extra fields? (`.*`)")
_NAME = re.compile(r"`([^`]+)`")
_FIELD = re.compile(r"\b(?!doc\b|optional\b)([a-z_][A-Za-z0-9_-]*)\s*\|(?![|>])")
_LONGEST = 600
"""Characters of a message: a definition's text may be part of it."""

_TOO_MUCH = (
    "evaluation needs more memory than it may use",
    "a definition is data that is quickly computed",
)
_IN_PLAIN_WORDS: Mapping[str, tuple[str, str]] = {
    "unexpected token": (
        "unexpected token",
        "a comma, a bracket, `in` or quotes may be missing before it",
    ),
    "unexpected end of file": (
        "the file ends too early",
        "a bracket or quotes may not be closed, or the file is empty",
    ),
    "non mergeable terms": ("the field is set twice, to different values", "keep one of them"),
    "cannot merge unequal arrays": ("the field is set twice, to different lists", "keep one"),
    "PanicException: out of memory": _TOO_MUCH,
    "MemoryError": _TOO_MUCH,
    "RecursionError": ("the value nests too deeply", "a definition is flat data"),
    "infinite recursion": (
        "infinite recursion",
        "fields see each other: in `{ x = x }` the second `x` is the field itself; rename one",
    ),
}
"""Heads of Nickel's own errors: what is said instead, and the remedy."""
_VAGUE = frozenset({"dynamic type error", "not a function"})
"""Heads that say less than the text at the mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What helps to explain an error: the texts, and names that were perhaps meant."""

    texts: Mapping[str, bytes]
    """Files by the name that diagnostics give them."""
    folder: str
    """Prefix of their paths in Nickel's error texts."""
    fields: frozenset[str]
    """Fields of the contract."""
    importable: frozenset[str]


def diagnose(error: str, file: str, sources: Sources) -> Diagnostic:
    """Explain the first error of a text that Nickel gave for `file`."""
    report = _read(error)
    span = _choose(report.spans, file, sources)
    message, hint = _explain(report, span, sources)
    place = _refine(report, span, sources)
    return Diagnostic(
        file=span.file if span else file,
        line=place.line,
        column=place.column,
        message=_printable(message),
        hint=_printable(hint),
    )


def meant(name: str, known: Iterable[str]) -> str:
    """Return "did you mean ...?" when something known is spelled like `name`; else nothing."""
    close = get_close_matches(name, set(known) - {name}, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def field_names(contract: str) -> frozenset[str]:
    """Return the names of the fields that the text of a contract declares."""
    return frozenset(_FIELD.findall(source_text.without_text(contract)))


@dataclass(slots=True)
class _Span:
    file: str
    place: Place
    primary: bool = False
    label: str = ""


@dataclass(slots=True)
class _Report:
    head: str = ""
    details: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spans: list[_Span] = field(default_factory=list)
    expected: str = ""
    """Source text of the contract that was broken."""
    source: str = ""
    """The last line of source shown."""

    @property
    def detail(self) -> str:
        return " ".join(self.details)

    def add(self, line: str) -> None:
        """Take one more line of the error text, whatever it is."""
        if found := _PLACE.fullmatch(line):
            self.spans.append(_Span(found[1], Place(int(found[2]), int(found[3]))))
        elif self.spans and (found := _SNIPPET.fullmatch(line)):
            self._add_snippet(found[1], found[2])
        elif found := _NOTE.fullmatch(line):
            self.notes.append(found[1])
        elif line.strip() and not self.spans:
            self.details.append(line.strip())

    def _add_snippet(self, number: str | None, content: str) -> None:
        if number:
            self.source = content
            return
        span = self.spans[-1]
        span.primary = span.primary or "^" in content
        mark = _MARK.search(content)
        if mark and not span.label:
            span.label = mark[2]
        if mark and mark[2].startswith("expected") and not self.expected:
            self.expected = self.source[mark.start(1) : mark.end(1)]


def _read(error: str) -> _Report:
    """Read the first report of a text in the layout of the codespan-reporting library."""
    report = _Report()
    for line in _ANSI.sub("", error).splitlines():
        head = _HEAD.fullmatch(line)
        if head and report.head:
            break
        if head:
            report.head = head[1]
        else:
            report.add(line)
    return report


def _choose(spans: list[_Span], file: str, sources: Sources) -> _Span | None:
    """Pick the span that the author can mend: marked as the cause, else in the file itself."""
    own = []
    for span in spans:
        span.file = span.file.removeprefix(sources.folder)
        if span.file in sources.texts:
            own.append(span)
    own.sort(key=lambda span: (not span.primary, span.file != file))
    return own[0] if own else None


def _explain(report: _Report, span: _Span | None, sources: Sources) -> tuple[str, str]:
    """Return message and hint."""
    if found := _BROKEN.fullmatch(report.head):
        return _explain_contract(found[1], report, sources)
    if found := _MISSING.fullmatch(report.head):
        return f"the field `{found[1]}` is missing", ""
    if found := _NO_IMPORT.fullmatch(report.head):
        return f"cannot import `{found[1]}`: there is no such file", meant(
            found[1], sources.importable
        )
    for head, words in _IN_PLAIN_WORDS.items():
        if report.head.startswith(head):
            return words
    if report.head in _VAGUE and span and span.label:
        return span.label, _hint(report)
    said = ": ".join(part for part in (report.head, report.detail) if part)
    return said or "cannot be evaluated", _hint(report)


def _explain_contract(name: str | None, report: _Report, sources: Sources) -> tuple[str, str]:
    extra = _EXTRA.search(report.detail)
    if extra:
        first = _NAME.findall(extra[1])[0]
        return extra[0].replace("extra", "unknown", 1), meant(first, sources.fields)
    problem = report.detail
    if not problem:
        problem = f"expected {report.expected}" if report.expected else "breaks its contract"
    return f"`{name}`: {problem}" if name else problem, _hint(report)


def _hint(report: _Report) -> str:
    return "; ".join(report.notes[:3])


def _refine(report: _Report, span: _Span | None, sources: Sources) -> Place:
    """Point at the field that is spoken of, where Nickel points at the whole record."""
    if span is None:
        return Place(1, 1)
    if not _BROKEN.fullmatch(report.head) or not _NAME.search(report.detail):
        return span.place
    text = sources.texts[span.file].decode(errors="replace")
    name = _NAME.findall(report.detail)[0]
    found = source_text.place_of_field(text, name, after_line=span.place.line)
    found = found or source_text.place_of_text(text, name, after_line=span.place.line)
    return found or span.place


def _printable(text: str) -> str:
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " "))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
