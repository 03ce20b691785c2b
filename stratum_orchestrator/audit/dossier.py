"""All evidence of one run as one text: JSON, one record on each line, each in one spelling.

Lines make that whatever is changed has a place; that there is one way to write each of them
makes that nothing can be changed into another text of the same meaning.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import msgspec

from stratum_orchestrator.audit.observed import Violation
from stratum_state import canonical, journal
from stratum_state.checkpoint import Answer, Checkpoint
from stratum_state.credential import CredentialLease
from stratum_state.errors import BrokenChain
from stratum_state.evidence import Evidence, Marked
from stratum_state.head import SignedHead
from stratum_state.journal import Head
from stratum_state.model import (
    CompensationRecord,
    JournalLine,
    OfRun,
    PipelineRun,
    StepRecord,
)

FORMAT = "stratum-trail-v1"
_END = "]}"
_ENTRY = '{"entry":'
_KINDS: Mapping[str, type[OfRun]] = {
    "run": PipelineRun,
    "step": StepRecord,
    "compensation": CompensationRecord,
    "credential": CredentialLease,
    "checkpoint": Checkpoint,
    "answer": Answer,
}
_NAMES: Mapping[type, str] = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What a text holds, and what is wrong with the text itself."""

    run: str
    evidence: Evidence
    violations: tuple[Violation, ...] = ()


class _Row(NamedTuple):
    """One line that could be read: `entry`, `row`, `head` or `fault`, and what it holds."""

    kind: str
    value: JournalLine | Marked | SignedHead | str


def write(run: str, evidence: Evidence) -> str:
    """The text of all that is on record of a run."""
    rows = [
        *({"entry": {"body": each.body, "hash": each.hash}} for each in evidence.journal),
        *({"row": _row(each)} for each in evidence.rows),
        *({"head": asdict(each)} for each in evidence.heads),
        *({"fault": each} for each in evidence.faults),
    ]
    lines = ",\n".join(canonical.text(each) for each in rows)
    return f"{_begin(run)}\n{lines}\n{_END}\n"


def read(text: str) -> Dossier:
    """What the text holds. What cannot be read, or is not spelled as it is written, is said."""
    lines = text.split("\n")
    numbered = dict(enumerate(lines[1:-2], start=2))
    last = len(numbered) + 1
    read = {number: _decoded(line, last=number == last) for number, line in numbered.items()}
    rows = {number: row for number, row in read.items() if row is not None}
    entries = max(
        (number - 1 for number, row in rows.items() if row.kind == "entry"), default=0
    )
    run = _most_named([row.value for row in rows.values()]) or _named_by(lines[0])
    bad = [
        _illegible(run, number, line, entries)
        for number, line in numbered.items()
        if number not in rows
    ]
    bad += _frame(run, lines)
    return Dossier(run=run, evidence=_evidence([*rows.values()]), violations=tuple(bad))


def _begin(run: str) -> str:
    return canonical.text({"format": FORMAT, "run": run})[:-1] + ',"rows":['


def _row(marked: Marked) -> Mapping[str, object]:
    fields = {name: value for name, value in asdict(marked.fact).items() if value is not None}
    return {"of": _NAMES[type(marked.fact)], "n": marked.head.n, "head": marked.head.hash} | {
        "fields": fields
    }


def _decoded(line: str, *, last: bool) -> _Row | None:
    """The row, or None when the line is not exactly as one is written."""
    if line.endswith(",") is last:
        return None
    text = line.removesuffix(",")
    try:
        [(kind, value)] = json.loads(text).items()
        row = _Row(kind, _READERS[kind](value))
        return row if canonical.text({kind: _said(row)}) == text else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BrokenChain):
        return None


def _said(row: _Row) -> object:
    match row.value:
        case JournalLine():
            return {"body": row.value.body, "hash": row.value.hash}
        case Marked():
            return _row(row.value)
        case SignedHead():
            return asdict(row.value)
        case text:
            return text


def _entry(value: dict[str, str]) -> JournalLine:
    """The line; one whose text is none still stands where it is."""
    body, said = str(value["body"]), str(value["hash"])
    try:
        return replace(journal.read(body), hash=said)
    except BrokenChain:
        return JournalLine(run="", n=0, at=0, kind="", body=body, hash=said)


def _marked(value: dict[str, object]) -> Marked:
    kind: type[OfRun] = _KINDS[str(value["of"])]
    fact = msgspec.convert(value["fields"], kind)
    return Marked(fact, Head(msgspec.convert(value["n"], int), str(value["head"])))


def _head(value: dict[str, object]) -> SignedHead:
    return msgspec.convert(value, SignedHead)


_READERS: Mapping[str, Callable[..., JournalLine | Marked | SignedHead | str]] = {
    "entry": _entry,
    "row": _marked,
    "head": _head,
    "fault": str,
}


def _most_named(entries: Sequence[object]) -> str:
    named = Counter(x.run for x in entries if isinstance(x, JournalLine) and x.run)
    return named.most_common(1)[0][0] if named else ""


def _named_by(line: str) -> str:
    try:
        return str(json.loads(f"{line}{_END}")["run"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown"


def _illegible(run: str, number: int, line: str, entries: int) -> Violation:
    """Entries come first, one on each line, so that the line tells which entry it was."""
    strange = sum(x != y for x, y in zip(line, _ENTRY, strict=False))
    is_entry = number - 1 <= entries or strange <= 1
    why = f"line {number} of the file is not as it was written: {line[:40]!r}"
    return Violation("I17", run, why, number - 1 if is_entry else 0)


def _frame(run: str, lines: Sequence[str]) -> Iterator[Violation]:
    """The lines around the records."""
    if lines[0] != _begin(run):
        yield Violation("I17", run, f"line 1 of the file is not the beginning of a {FORMAT}")
    if lines[-2:] != [_END, ""]:
        why = f"line {max(len(lines) - 1, 1)} of the file is not the end of a {FORMAT}"
        yield Violation("I17", run, why)


def _evidence(rows: Sequence[_Row]) -> Evidence:
    values = [each.value for each in rows]
    return Evidence(
        rows=tuple(each for each in values if isinstance(each, Marked)),
        journal=tuple(each for each in values if isinstance(each, JournalLine)),
        heads=tuple(each for each in values if isinstance(each, SignedHead)),
        faults=tuple(each for each in values if isinstance(each, str)),
    )
