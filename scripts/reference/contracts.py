"""What a contract written in Nickel says of its fields, without evaluating it."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_OPEN, _CLOSE = "{[(", "}])"
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


class Field(NamedTuple):
    """One field of a record contract."""

    name: str
    doc: str
    contract: str
    default: str | None
    """In Nickel; None where there is none."""
    optional: bool


def record(text: str, opening: str) -> tuple[Field, ...]:
    """The fields of the record that begins with `opening`, which ends in its brace."""
    start = text.index(opening) + len(opening)
    return fields(next(_split(_COMMENT.sub("", text[start:]), end="}")))


def fields(body: str) -> tuple[Field, ...]:
    """The fields in what stands between the braces of a record."""
    return tuple(_field(each) for each in _split(body, at=",") if each.strip())


def _field(text: str) -> Field:
    name, *notes = (" ".join(each.split()) for each in _split(text, at="|"))
    # a value may stand behind the last annotation, and it is the field's
    name = name.partition(" = ")[0]
    doc, contract, default = "", [], None
    for note in notes:
        if note.startswith("doc "):
            doc = json.loads(re.match(r'doc ("(?:[^"\\]|\\.)*")', note)[1])  # type: ignore[index]
        elif note.startswith("default"):
            default = note.partition("=")[2].strip()
        elif note != "optional":
            contract.append(note)
    return Field(name, doc, " | ".join(contract), default, "optional" in notes)


def _split(text: str, *, at: str = "", end: str = "") -> Iterator[str]:
    """The parts between a sign that stands in no bracket and no string; up to `end`."""
    depth, start, is_text = 0, 0, False
    for index, sign in enumerate(text):
        if sign == '"' and text[index - 1] != "\\":
            is_text = not is_text
        if is_text:
            continue
        if depth == 0 and sign in (at, end):
            yield text[start:index]
            start = index + 1
            if sign == end:
                return
        depth += (sign in _OPEN) - (sign in _CLOSE)
    yield text[start:]
