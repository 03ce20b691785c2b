"""The settings as `ncl/config.ncl` has them: names, docs, kinds and defaults.

The contract is laid out one field on a line so that this can read it; that all settings are
found is checked whenever the reference is generated.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stratum_orchestrator import config

_SECTION = re.compile(r"^    (\w+)\n      \| doc \"(.+)\"\n      \| \{$", re.MULTILINE)
_FIELD = re.compile(
    r"^        (\w+) \| doc \"((?:[^\"\\]|\\.)+)\" \| (.+) \| default = (.+),$", re.MULTILINE
)
_KINDS = {
    "Text": "text",
    "NonEmptyText": "text, not empty",
    "Port": "port, 0 to 65535",
    "Count": "whole number",
    "CountOrAuto": "whole number",
    "Replicas": "1, 3 or 5",
    "Flag": "`true` or `false`",
    "Duration": 'duration above zero: `"30s"`, `"1h30m"` or seconds',
    "Delay": 'duration: `"500ms"`, `"30s"` or seconds',
    "Bytes": 'size: `"256KiB"` or bytes',
    "Array NonEmptyText": "list of texts",
    "Array PublicKey": "list of public keys",
    "Array Subject": "list of subjects",
    "Array ScriptCredential": "list of `{ name, hosts, user, secret_file }`",
}


class Field(NamedTuple):
    """One setting."""

    section: str
    name: str
    doc: str
    contract: str
    default: str
    """In Nickel."""

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def base(self) -> str:
        """The contract without what narrows it further."""
        return self.contract.partition(" | ")[0]

    @property
    def words(self) -> tuple[str, ...]:
        """What can be chosen from; empty when it is not a choice."""
        word, _, rest = self.base.partition(" ")
        return tuple(json.loads(rest)) if word == "OneOf" else ()

    @property
    def kind(self) -> str:
        """What may be written, for people."""
        word, _, rest = self.base.partition(" ")
        if self.words:
            return " or ".join(f"`{each}`" for each in self.words)
        if word == "Address":
            schemes, _, _ = rest.partition("] ")
            return "address: " + " or ".join(f"`{x}://`" for x in json.loads(schemes + "]"))
        least = ", at least one" if "NonEmpty" in self.contract.split(" | ") else ""
        return _KINDS[self.base] + least


class Section(NamedTuple):
    """Settings that belong together."""

    name: str
    doc: str
    fields: tuple[Field, ...]


def sections() -> Mapping[str, Section]:
    """All of them in the order of the contract; RuntimeError when the program has others."""
    text = (config.library() / "config.ncl").read_text(encoding="utf-8")
    found = {each.name: each for each in _sections(text)}
    named = {field.dotted for each in found.values() for field in each.fields}
    if named != set(config.fields()):
        message = f"ncl/config.ncl and config.py differ in {named ^ set(config.fields())}"
        raise RuntimeError(message)
    return found


def _sections(contract: str) -> Iterator[Section]:
    heads = list(_SECTION.finditer(contract))
    ends = [*(head.start() for head in heads[1:]), len(contract)]
    for head, end in zip(heads, ends, strict=True):
        fields = _FIELD.findall(contract, head.end(), end)
        yield Section(head[1], _said(head[2]), tuple(_field(head[1], *x) for x in fields))


def _field(section: str, name: str, doc: str, contract: str, default: str) -> Field:
    return Field(section, name, doc, contract, default)


def _said(doc: str) -> str:
    return doc.replace('\\"', '"')
