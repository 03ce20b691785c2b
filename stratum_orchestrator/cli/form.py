"""A first `stratum.ncl`: which settings are asked for, and how the file is written."""

import json
from collections.abc import Iterator, Mapping

from msgspec import DecodeError, json as strict

from stratum_orchestrator.cli.contract import Field, Section

ASKED = (
    "instance.name",
    "http.port",
    "nats.url",
    "nats.subjects",
    "surrealdb.url",
    "definitions.folders",
    "credentials.provider",
    "log.level",
)
"""What most projects choose; everything else has a default that does."""

_FURTHER: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("nats.url", "nats"): ("nats.seed_file", "nats.creds_file"),
    ("nats.url", "tls"): ("nats.seed_file", "nats.creds_file"),
    ("surrealdb.url", "ws"): (
        "surrealdb.user",
        "surrealdb.password_file",
        "surrealdb.namespace",
        "surrealdb.database",
    ),
    ("credentials.provider", "vault"): (
        "credentials.url",
        "credentials.login",
        "credentials.role",
        "credentials.secret_file",
    ),
}
_HEAD = """\
# The settings of this project's daemon. Each comment shows a default: take the sign away in
# front of a line to say something else. `stratum config show --origin` tells what is in effect.
# The contract judges what is written here; secrets are files that are named, never values.
"""


def further(dotted: str, value: object) -> tuple[str, ...]:
    """What an answer makes worth asking."""
    for (field, begins), fields in _FURTHER.items():
        if field == dotted and isinstance(value, str) and value.startswith(begins):
            return fields
    return ()


def parsed(field: Field, text: str) -> object:
    """An answer as the value that it may stand for; the contract judges it."""
    if field.base.startswith("Array"):
        return _listed(text)
    if field.words or field.base in {"Text", "NonEmptyText"} or "Address" in field.base:
        return text
    try:
        value: object = strict.decode(text)
    except DecodeError:
        return text
    return value


def shown(value: object) -> str:
    """A value as somebody would answer."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def written(sections: Mapping[str, Section], chosen: Mapping[str, object]) -> str:
    """The whole file, every setting with its doc; those that were not chosen as comments."""
    lines = [_HEAD + "{"]
    for section in sections.values():
        lines += ["", f"  # {section.doc}", f"  {section.name} = {{"]
        for field in section.fields:
            lines += [f"    # {each}" for each in _told(field)]
            lines.append(_line(field, chosen))
        lines.append("  },")
    return "\n".join([*lines, "}", ""])


def _told(field: Field) -> Iterator[str]:
    yield field.doc.replace('\\"', '"')
    yield f"({field.kind})"


def _line(field: Field, chosen: Mapping[str, object]) -> str:
    if field.dotted in chosen:
        return f"    {field.name} = {_nickel(chosen[field.dotted])},"
    return f"    # {field.name} = {field.default},"


def _nickel(value: object) -> str:
    # JSON is Nickel, but for what looks like an interpolation
    return json.dumps(value, ensure_ascii=False).replace("%{", "\\%{")


def _listed(text: str) -> object:
    if text.lstrip().startswith("["):
        try:
            value: object = strict.decode(text)
        except DecodeError:
            return text
        return value
    return [each.strip() for each in text.split(",") if each.strip()]
