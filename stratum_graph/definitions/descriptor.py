"""Scripts that are not named by a path: fetched from elsewhere, encoded, or written inline.

What counts is the first that a descriptor has: `uri`, `encoded`, `inline`. It becomes a file in
the folder that the definition runs with, named by its digest, and so belongs to what runs pin.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from posixpath import dirname, join, normpath
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from stratum_graph.definitions.messages import meant
from stratum_graph.definitions.snapshot import MAX_SOURCE, Files, size
from stratum_graph.definitions.source_text import Place, place_of_field, place_of_text
from stratum_graph.diagnostics import Diagnostic

_PARTS = ("handler", "compensate")
_WAYS = ("uri", "encoded", "inline")


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what a `uri` names is fetched."""

    type: Literal["file", "http", "oci", "s3", "gcs"]
    auth: str = ""
    """Name of a credential, never its value."""
    timeout: float = 30
    """Seconds."""


class Descriptor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a script comes from."""

    uri: str = ""
    source: Source | None = None
    sha256: str = ""
    """What its bytes have to be, 64 hexadecimal digits; nothing is compared without."""
    encoded: str = ""
    """Base64."""
    inline: str = ""

    @property
    def way(self) -> str:
        """Which of its fields counts."""
        return next((way for way in _WAYS if getattr(self, way)), "inline")


class Settled(NamedTuple):
    """The name and the bytes of a script, or what is wrong with it."""

    name: str
    content: bytes
    problems: tuple[Diagnostic, ...]


def take_out(node: Mapping[str, object]) -> tuple[dict[str, object], dict[str, Descriptor]]:
    """Cut a node's value in two: with paths alone, and its descriptors by part.

    Raises msgspec.ValidationError for what is no descriptor.
    """
    rest, found = dict(node), dict[str, Descriptor]()
    for part in _PARTS:
        value = rest.get(part)
        if isinstance(value, dict) and isinstance(value.get("script"), dict):
            found[part] = msgspec.convert(value["script"], Descriptor)
            rest[part] = {**value, "script": ""}
    return rest, found


def settle(wanted: Descriptor, part: str, file: str, text: str, files: Files) -> Settled:
    """The script that a part of a definition describes; `files` are all that are watched."""
    problem, content = _content(wanted, file, files)
    wrong = [problem or _fault(wanted, content)]
    found = [_diagnostic(wanted, part, file, text, *said) for said in wrong if said is not None]
    ignored = [way for way in _WAYS if getattr(wanted, way) and way != wanted.way]
    if ignored:
        why = f"`{part}.script` has `{wanted.way}` and `{'`, `'.join(ignored)}`"
        said = f"{why}: `{wanted.way}` counts", "leave the others out"
        found += [_diagnostic(wanted, part, file, text, *said, severity="warning")]
    return Settled(f"sha256-{sha256(content).hexdigest()}.nu", content, tuple(found))


_Said = tuple[str, str]
"""What is wrong, and the remedy."""


def _content(wanted: Descriptor, file: str, files: Files) -> tuple[_Said | None, bytes]:
    match wanted.way, wanted.source:
        case "uri", Source(type="file"):
            return _beside(wanted.uri, file, files)
        case "uri", source:
            kind = source.type if source else "none"
            remedy = "put the script below the watched folder, as `'file`, or write it `inline`"
            return (
                f"scripts from a source of the type `'{kind}` are not supported yet",
                remedy,
            ), b""
        case "encoded", _:
            try:
                return None, b64decode("".join(wanted.encoded.split()), validate=True)
            except (binascii.Error, ValueError):
                return (
                    "its script is not base64",
                    "encode the whole file, as `base64` does",
                ), b""
        case _:
            return None, wanted.inline.encode()


def _beside(uri: str, file: str, files: Files) -> tuple[_Said | None, bytes]:
    """A file below the watched folders: nothing else can be named."""
    path = uri.removeprefix("file:")
    place = normpath(join(dirname(file), path))
    if path.startswith("/") or place.startswith("../") or "\\" in path:
        return (
            f"`{uri}` lies outside the watched folder",
            "name it by a path from node.ncl",
        ), b""
    if place not in files:
        names = [name for name in files if name.endswith(".nu")]
        return (
            f"`{uri}` does not exist",
            meant(place, names) or "it is looked for from here",
        ), b""
    return None, files[place]


def _fault(wanted: Descriptor, content: bytes) -> _Said | None:
    if len(content) > MAX_SOURCE:
        return (f"its script has {size(len(content))}, of at most {size(MAX_SOURCE)}", "")
    found = sha256(content).hexdigest()
    if wanted.sha256 and found != wanted.sha256:
        remedy = f'look why; if it may be so, write sha256 = "{found}"'
        return (f"its script is not what `sha256` says: it has {found}", remedy)
    try:
        if "\0" not in content.decode():
            return None
    except UnicodeDecodeError:
        pass
    return ("its script is not text in UTF-8", "")


def _diagnostic(  # noqa: PLR0913, PLR0917 - where it is, and what is said
    wanted: Descriptor,
    part: str,
    file: str,
    text: str,
    message: str,
    hint: str,
    severity: Literal["error", "warning"] = "error",
) -> Diagnostic:
    places = _places(wanted, part, text)
    place = next(places, Place(1, 1))
    return Diagnostic(
        file=file,
        line=place.line,
        column=place.column,
        message=f"`{part}`: {message}" if not message.startswith("`") else message,
        hint=hint,
        severity=severity,
    )


def _places(wanted: Descriptor, part: str, text: str) -> Iterator[Place]:
    """Where the script may be written, the most exact place first."""
    written = place_of_text(text, wanted.uri) if wanted.uri else None
    above = place_of_field(text, part)
    line = above.line if above else 1
    for each in (written, place_of_field(text, wanted.way, after_line=line), above):
        if each is not None:
            yield each
