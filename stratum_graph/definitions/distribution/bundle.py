"""A bundle: files as one OCI artifact, the same bytes for the same files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from stratum_graph.definitions.content import digest_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
BUNDLE = "application/vnd.stratum.bundle.v1+json"

TITLE = "org.opencontainers.image.title"
REF_NAME = "org.opencontainers.image.ref.name"
CONTENT = "dev.stratum.content.sha256"
FOLDERS = "dev.stratum.folders"
"""Names of the folders with definitions, in the order in which imports are looked up."""
PRINCIPALS = "dev.stratum.principals"
"""Name of the file that says who may sign events."""
GENERATION = "dev.stratum.generation"
"""Digest of the graph that the definitions compile to."""

DEFINITIONS_FOLDER, LIBRARY_FOLDER = "definitions", "ncl"
POLICIES_FOLDER, PRINCIPALS_FOLDER = "policies", "principals"

EMPTY_CONTENT = b"{}"

_MEDIA = {
    ".ncl": "application/vnd.stratum.nickel.v1",
    ".nu": "application/vnd.stratum.nushell.v1",
    ".cedar": "application/vnd.stratum.cedar.v1",
    ".cedarschema": "application/vnd.stratum.cedar-schema.v1",
}
_OTHER = "application/vnd.stratum.file.v1"


def media_type(title: str) -> str:
    """What a file of this name has to be called. Never an archive: nothing is unpacked."""
    return _MEDIA.get(PurePosixPath(title).suffix, _OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A manifest and all the blobs that it names."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    artifact_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    """Digest of the manifest that it says something about."""

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def build(files: Mapping[str, bytes], annotations: Mapping[str, str]) -> Parcel:
    """The bundle of files by title."""
    layers = [
        {
            "mediaType": media_type(title),
            "digest": (digest := digest_of(content)),
            "size": len(content),
            "annotations": {TITLE: title, CONTENT: digest.removeprefix("sha256:")},
        }
        for title, content in sorted(files.items())
    ]
    blobs = {digest_of(content): content for content in files.values()}
    return _parcel(BUNDLE, layers, blobs, annotations)


def attachment(
    subject: "Parcel | Subject", artifact_type: str, content: bytes, notes: Mapping[str, str]
) -> Parcel:
    """An artifact that says something about a manifest."""
    about = Subject.of(subject) if isinstance(subject, Parcel) else subject
    digest = digest_of(content)
    layer = {"mediaType": artifact_type, "digest": digest, "size": len(content)}
    return _parcel(artifact_type, [layer], {digest: content}, notes, about)


@dataclass(frozen=True, slots=True)
class Subject:
    """A manifest that something is said about."""

    digest: str
    size: int

    @classmethod
    def of(cls, parcel: Parcel) -> "Subject":
        return cls(parcel.digest, len(parcel.manifest))


def _parcel(
    artifact_type: str,
    layers: list[dict[str, object]],
    blobs: Mapping[str, bytes],
    annotations: Mapping[str, str],
    subject: Subject | None = None,
) -> Parcel:
    empty = digest_of(EMPTY_CONTENT)
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": {"mediaType": EMPTY, "digest": empty, "size": len(EMPTY_CONTENT)},
        "layers": layers,
        "annotations": dict(annotations),
    }
    if subject:
        about = {"mediaType": MANIFEST, "digest": subject.digest, "size": subject.size}
        manifest["subject"] = about
    return Parcel(
        manifest=json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode(),
        blobs={empty: EMPTY_CONTENT, **blobs},
        artifact_type=artifact_type,
        annotations=annotations,
        subject=subject.digest if subject else "",
    )
