"""The checks that a manifest passes before anything that it names is fetched. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from stratum_graph.definitions import snapshot
from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.reference import DIGEST
from stratum_graph.errors import Untrusted

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MAX_TITLE = 512
_LIBRARY_ROOT = f"{bundle.LIBRARY_FOLDER}/stratum.ncl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large the parts of a bundle may be, in bytes."""

    manifest: int = 4 << 20
    blob: int = snapshot.MAX_TREE
    total: int = 64 << 20
    layers: int = 8000


class Descriptor(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a manifest says of a blob."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = {}
    artifact_type: str = ""


class Manifest(Struct, frozen=True, rename="camel"):
    """An OCI image manifest, as far as it concerns us."""

    schema_version: int
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a bundle."""

    title: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a bundle says that it holds: its manifest passed every check."""

    manifest: bytes
    digest: str
    entries: tuple[Entry, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders with definitions."""
        return tuple(self.annotations[bundle.FOLDERS].split(" "))

    @property
    def principals(self) -> str:
        """Title of the principals file; empty when there is none."""
        name = self.annotations.get(bundle.PRINCIPALS, "")
        return f"{bundle.PRINCIPALS_FOLDER}/{name}" if name else ""

    @property
    def generation(self) -> str:
        return self.annotations.get(bundle.GENERATION, "")


def examine(raw: bytes, wanted: str, limits: Limits | None = None) -> Listing:
    """Read a bundle's manifest; Untrusted names the check that it fails.

    `wanted` is the digest that it has to have; a tag proves nothing.
    """
    bounds = limits or Limits()
    digest = digest_of(raw)
    what = f"bundle {wanted}"
    manifest = parse(raw, what, bounds, wanted=wanted)
    if manifest.artifact_type != bundle.BUNDLE:
        raise Untrusted(what, "artifact type", f"it is {manifest.artifact_type!r:.100}")
    entries = tuple(_entries(manifest.layers, what, bounds))
    _places(entries, manifest.annotations, what)
    return Listing(
        manifest=raw, digest=digest, entries=entries, annotations=manifest.annotations
    )


def parse(raw: bytes, what: str, limits: Limits, *, wanted: str = "") -> Manifest:
    """Read any manifest of bearable size, and with the digest if one is wanted."""
    if len(raw) > limits.manifest:
        raise Untrusted(what, "manifest size", f"more than {limits.manifest} bytes")
    found = digest_of(raw)
    if DIGEST.fullmatch(wanted) and found != wanted:
        raise Untrusted(what, "manifest digest", f"asked for {wanted}, got {found}")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Untrusted(what, "manifest shape", str(error)) from None
    if (manifest.schema_version, manifest.media_type) != (2, bundle.MANIFEST):
        raise Untrusted(what, "manifest shape", "it is no OCI image manifest")
    return manifest


def blob(content: bytes, descriptor: Descriptor | Entry, what: str) -> bytes:
    """The content if it is what was described; else Untrusted."""
    if len(content) != descriptor.size:
        why = f"{len(content)} bytes instead of {descriptor.size}"
        raise Untrusted(what, "layer size", why)
    if digest_of(content) != descriptor.digest:
        raise Untrusted(what, "layer digest", f"expected {descriptor.digest}")
    return content


def _entries(layers: Sequence[Descriptor], what: str, limits: Limits) -> Iterator[Entry]:
    if not 0 < len(layers) <= limits.layers:
        raise Untrusted(what, "layer count", f"{len(layers)} of 1 to {limits.layers}")
    if sum(max(each.size, 0) for each in layers) > limits.total:
        raise Untrusted(what, "layer size", f"more than {limits.total} bytes in all")
    seen: set[str] = set()
    for layer in layers:
        entry = _entry(layer, what, limits)
        if entry.title.casefold() in seen:
            raise Untrusted(what, "title", f"{entry.title!r} is there twice")
        seen.add(entry.title.casefold())
        yield entry
    for title in seen:
        folder = next((str(x) for x in PurePosixPath(title).parents if str(x) in seen), None)
        if folder:
            raise Untrusted(what, "title", f"{folder!r} is a file and a folder")


def _entry(layer: Descriptor, what: str, limits: Limits) -> Entry:
    title = layer.annotations.get(bundle.TITLE, "")
    if not is_title(title):
        raise Untrusted(what, "title", f"{title[:100]!r} is no path for a file of a bundle")
    if not 0 <= layer.size <= limits.blob:
        why = f"{title} has {layer.size} bytes, of at most {limits.blob}"
        raise Untrusted(what, "layer size", why)
    if not DIGEST.fullmatch(layer.digest):
        raise Untrusted(what, "layer digest", f"{title} has none that is a sha256")
    said = layer.annotations.get(bundle.CONTENT, "")
    if f"sha256:{said}" != layer.digest:
        why = f"{title} is annotated with sha256 {said[:80]!r} and described as {layer.digest}"
        raise Untrusted(what, "annotation", why)
    if layer.media_type != bundle.media_type(title):
        raise Untrusted(what, "media type", f"{title} is called {layer.media_type[:100]!r}")
    return Entry(title=title, digest=layer.digest, size=layer.size)


def is_title(title: str) -> bool:
    """Whether a file of a bundle may be called that."""
    segments = title.split("/")
    return (
        len(title) <= _MAX_TITLE
        and 1 < len(segments) <= snapshot.MAX_DEPTH
        and all(map(_SEGMENT.fullmatch, segments))
        and not any(map(snapshot.is_ignored, segments))
        and segments[0]
        in {
            bundle.DEFINITIONS_FOLDER,
            bundle.LIBRARY_FOLDER,
            bundle.POLICIES_FOLDER,
            bundle.PRINCIPALS_FOLDER,
        }
    )


def _places(entries: Sequence[Entry], annotations: Mapping[str, str], what: str) -> None:
    """Every part that a bundle consists of has to be there."""
    titles = {each.title for each in entries}
    below = {title.split("/")[1] for title in titles if title.startswith("definitions/")}
    folders = annotations.get(bundle.FOLDERS, "").split(" ")
    if not set(folders) <= below or len(set(folders)) != len(folders):
        raise Untrusted(
            what, "annotation", f"{bundle.FOLDERS} names folders that are not there"
        )
    if _LIBRARY_ROOT not in titles:
        raise Untrusted(what, "title", f"{_LIBRARY_ROOT} is missing")
    if not any(title.startswith("policies/") for title in titles):
        raise Untrusted(what, "title", "it holds no policies")
    principals = annotations.get(bundle.PRINCIPALS, "")
    if principals and f"principals/{principals}" not in titles:
        raise Untrusted(what, "annotation", f"{bundle.PRINCIPALS} names a file that is missing")
