"""A folder of policies, read, named and checked against its schema."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cedarpy

from stratum_graph.definitions import plain_file
from stratum_graph.diagnostics import Diagnostic
from stratum_orchestrator.auth.errors import BadPolicies
from stratum_state import canonical

MAX_FILE = 1 << 20
"""Bytes. More than a person writes, less than what would hold up a reload."""

_STATEMENT_END = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n]*|(;)')
_LEADING = re.compile(r"(?:\s|//[^\n]*)*+")
_POSITION = re.compile(r"^for policy `policy0`, ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFiles:
    """What a folder says, parsed: every policy valid and known by its own id."""

    schema: cedarpy.Schema
    policies: cedarpy.PolicySet
    ids: tuple[str, ...]
    digest: str
    """`sha256:…` over the names and texts of the schema and the policy files."""
    single: Mapping[str, "Single"]
    """Each policy by itself, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A set with one policy in it, and where that one is written."""

    file: str
    line: int
    text: str
    effect: str
    """`permit` or `forbid`."""
    policies: cedarpy.PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """One policy's text and its place."""

    file: str
    line: int
    text: str

    def fault(self, message: str, hint: str = "") -> Diagnostic:
        return Diagnostic(file=self.file, line=self.line, message=message, hint=hint)


def read(folder: Path) -> PolicyFiles:
    """Read the one `*.cedarschema` and all `*.cedar`; BadPolicies names every fault."""
    schemas, texts = _texts(folder, "*.cedarschema"), _texts(folder, "*.cedar")
    schema = _schema(folder, schemas)
    if not texts:
        raise BadPolicies(
            [_nothing(folder, "*.cedar", "without policies everything is denied")]
        )
    faults: list[Diagnostic] = []
    policies: dict[str, object] = {}
    places: dict[str, _Statement] = {}
    for statement in (each for name, text in texts.items() for each in _statements(name, text)):
        try:
            name, policy = _parse(statement, schema)
        except BadPolicies as bad:
            faults += bad.diagnostics
            continue
        if (first := places.setdefault(name, statement)) is not statement:
            taken = f'@id("{name}") is already the name of {first.file}:{first.line}'
            faults.append(statement.fault(taken, "give each policy its own name"))
        policies[name] = policy
    if faults:
        raise BadPolicies(faults)
    return PolicyFiles(
        schema=schema,
        policies=_policy_set(policies),
        ids=tuple(sorted(policies)),
        single={name: _single(name, policies[name], places[name]) for name in policies},
        digest=canonical.digest(canonical.text(schemas | texts)),
    )


def _texts(folder: Path, pattern: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted(folder.glob(pattern)):
        try:
            texts[path.name] = plain_file.read(path, MAX_FILE).decode()
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            raise BadPolicies([Diagnostic(file=path.name, message=message)]) from error
        except UnicodeDecodeError as error:
            message = f"not UTF-8 text: {error.reason}"
            raise BadPolicies([Diagnostic(file=path.name, message=message)]) from error
    return texts


def _schema(folder: Path, schemas: Mapping[str, str]) -> cedarpy.Schema:
    if len(schemas) != 1:
        raise BadPolicies(
            [
                _nothing(
                    folder,
                    "exactly one *.cedarschema",
                    "found " + (", ".join(schemas) or "none"),
                )
            ]
        )
    [(name, text)] = schemas.items()
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise BadPolicies([Diagnostic(file=name, message=str(error))]) from error


def _nothing(folder: Path, wanted: str, why: str) -> Diagnostic:
    return Diagnostic(file=str(folder), message=f"needs {wanted}: {why}")


def _statements(file: str, text: str) -> Iterator[_Statement]:
    """Cut a file where its policies end, so that each fault has a line.

    Cedar's parser says what is wrong, but not where. A cut in the wrong place can only make
    a policy unreadable, never change what it says.
    """
    start = 0
    ends = [match.end() for match in _STATEMENT_END.finditer(text) if match[1]]
    for end in (*ends, len(text)):
        piece = text[start:end]
        lead = _LEADING.match(piece)
        begin = start + (lead.end() if lead else 0)
        if begin < end:
            yield _Statement(file=file, line=text.count("\n", 0, begin) + 1, text=piece)
        start = end


def _parse(statement: _Statement, schema: cedarpy.Schema) -> tuple[str, object]:
    """A policy's id and its JSON form; BadPolicies says what is wrong with it."""
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        raise BadPolicies([statement.fault(str(error))]) from error
    if parsed["templates"]:
        fault = statement.fault(
            "a template (`?principal`, `?resource`) is not allowed here",
            "write one policy for each case, or use a group",
        )
        raise BadPolicies([fault])
    [policy] = parsed["staticPolicies"].values()
    name = (policy.get("annotations") or {}).get("id")
    if not name:
        fault = statement.fault("the policy has no name", 'write @id("…") in front of it')
        raise BadPolicies([fault])
    validation = cedarpy.validate_policies(statement.text, schema)
    if not validation.validation_passed:
        messages = dict.fromkeys(_POSITION.sub("", each.error) for each in validation.errors)
        raise BadPolicies([statement.fault(f"{name}: {message}") for message in messages])
    return name, policy


def _single(name: str, policy: object, place: _Statement) -> Single:
    effect = policy.get("effect") if isinstance(policy, dict) else ""
    lead = _LEADING.match(place.text)
    return Single(
        file=place.file,
        line=place.line,
        text=place.text[lead.end() if lead else 0 :].strip(),
        effect=str(effect),
        policies=_policy_set({name: policy}),
    )


def _policy_set(policies: Mapping[str, object]) -> cedarpy.PolicySet:
    """Build the set from JSON: only so do decisions name our ids instead of positions."""
    whole = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(whole))
