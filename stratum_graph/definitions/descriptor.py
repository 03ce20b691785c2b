"""Scripts that are not named by a path: fetched from elsewhere, encoded, or written inline.

What counts is the first that a descriptor has: `uri`, `encoded`, `inline`. It becomes a file in
the folder that the definition runs with, named by its digest, and so belongs to what runs pin.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from posixpath import dirname, join, normpath
from typing import Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from stratum_graph.definitions.messages import meant
from stratum_graph.definitions.snapshot import MAX_SOURCE, Files, size
from stratum_graph.definitions.source_text import Place, place_of_field, place_of_text
from stratum_graph.diagnostics import Diagnostic

_PARTS = ("handler", "compensate")
_WAYS = ("uri", "encoded", "inline")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMED = re.compile(r"sha256-([0-9a-f]{64})\.nu")
_NOBODY = ("nothing is fetched here", "put a copy beside the definition, as sha256-DIGEST.nu")


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what a `uri` names is fetched."""

    type: Literal["file", "http", "oci", "s3", "gcs"]
    auth: str = ""
    """Name of a credential, never its value."""
    timeout: float = 30
    """Seconds."""
    endpoint: str = ""
    """Address of the object store; empty is the provider's own."""
    region: str = ""


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

    @property
    def is_remote(self) -> bool:
        """Whether its script has to come from another machine."""
        source = self.source
        return self.way == "uri" and source is not None and source.type != "file"


Said = tuple[str, str]
"""What is wrong, and the remedy."""

Fetched = Mapping[Descriptor, bytes | Said]


class Fetcher(Protocol):
    """Has scripts from elsewhere."""

    @property
    def is_due(self) -> bool:
        """Whether what could not be had should be asked for again though nothing changed."""
        ...

    async def fetch(self, wanted: Collection[Descriptor]) -> Fetched:
        """Each script, or why it is not to be had; each has a digest."""
        ...


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


def copy_of(wanted: Descriptor, file: str) -> str:
    """Where a script from elsewhere may lie already: beside its definition, by its digest."""
    return join(dirname(file), f"sha256-{wanted.sha256}.nu")


def is_missing(wanted: Descriptor, file: str, files: Files) -> bool:
    """Whether it has to be fetched; without a digest there is nothing to hold it against."""
    if not wanted.is_remote or not _SHA256.fullmatch(wanted.sha256):
        return False
    return not _lies_there(wanted, file, files)


def _lies_there(wanted: Descriptor, file: str, files: Files) -> bool:
    content = files.get(copy_of(wanted, file))
    return content is not None and sha256(content).hexdigest() == wanted.sha256


def kept(script: str) -> str:
    """The digest under which the bytes of a described script may be kept; else empty."""
    found = _NAMED.fullmatch(script)
    return f"sha256:{found[1]}" if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a definition's scripts are looked for in."""

    node: str
    file: str
    text: str
    files: Files
    """All that are watched."""
    fetched: Fetched
    """What was got from elsewhere."""


def settle(wanted: Descriptor, part: str, around: Surroundings) -> Settled:
    """The script that a part of a definition describes."""
    file, text = around.file, around.text
    problem, content = _content(wanted, around)
    wrong = [problem or _fault(wanted, content)]
    found = [_diagnostic(wanted, part, file, text, *said) for said in wrong if said is not None]
    ignored = [way for way in _WAYS if getattr(wanted, way) and way != wanted.way]
    if ignored:
        why = f"`{part}.script` has `{wanted.way}` and `{'`, `'.join(ignored)}`"
        said = f"{why}: `{wanted.way}` counts", "leave the others out"
        found += [_diagnostic(wanted, part, file, text, *said, severity="warning")]
    return Settled(f"sha256-{sha256(content).hexdigest()}.nu", content, tuple(found))


def _content(wanted: Descriptor, around: Surroundings) -> tuple[Said | None, bytes]:
    match wanted.way, wanted.source:
        case "uri", Source(type="file"):
            return _beside(wanted.uri, around.file, around.files)
        case "uri", _:
            return _from_elsewhere(wanted, around)
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


def _beside(uri: str, file: str, files: Files) -> tuple[Said | None, bytes]:
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


def _from_elsewhere(wanted: Descriptor, around: Surroundings) -> tuple[Said | None, bytes]:
    if not _SHA256.fullmatch(wanted.sha256):
        return (
            "a script that is not on this machine needs its `sha256`",
            "write it there",
        ), b""
    if _lies_there(wanted, around.file, around.files):
        return None, around.files[copy_of(wanted, around.file)]
    found = around.fetched.get(wanted, _NOBODY)
    if isinstance(found, bytes):
        return None, found
    why, remedy = found
    uri = wanted.uri.partition("?")[0]  # what is behind it may be a secret after all
    return (f"the script of `{around.node}` from `{uri}`: {why}", remedy), b""


def _fault(wanted: Descriptor, content: bytes) -> Said | None:
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
        message=message if message.startswith(f"`{part}.") else f"`{part}`: {message}",
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
