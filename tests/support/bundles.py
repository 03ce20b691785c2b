"""Small bundles, keys that sign them, and what is trusted."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace

from platform_nats import nkey
from platform_nats.nkey import UserKey
from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import (
    bundle,
    envelope,
    provenance,
    signature,
    verify,
)
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.provenance import PROVENANCE, Circumstances
from stratum_graph.definitions.distribution.pull import Trust
from stratum_graph.definitions.distribution.signature import Trusted

REPOSITORY = "team/nodes"
FILES = {
    "definitions/nodes/crate/lint/node.ncl": b'{ name = "lint" }',
    "definitions/nodes/crate/lint/run.nu": b"def main [] { }",
    "definitions/nodes/crate/lint/zero.txt": b"",
    "ncl/stratum.ncl": b"{}",
    "policies/roles.cedar": b"permit (principal, action, resource);",
    "principals/principals.ncl": b"[] # nobody",
}
NOTES = {bundle.FOLDERS: "nodes", bundle.PRINCIPALS: "principals.ncl"}
CREATED = "2026-01-02T03:04:05Z"


def parcel(**changed: bytes) -> Parcel:
    """A bundle of the files, some changed: a `__` in a name stands for a slash."""
    files = FILES | {name.replace("__", "/"): content for name, content in changed.items()}
    return bundle.build(files, NOTES)


def signed(
    parcel: Parcel, key: UserKey, repository: str = REPOSITORY, created: str = CREATED
) -> Parcel:
    return signature.sign(Subject.of(parcel), repository, key, created)


def attested(
    parcel: Parcel,
    key: UserKey,
    change: Callable[[dict[str, object]], object] = lambda _: None,
    repository: str = REPOSITORY,
) -> Parcel:
    """The provenance of a bundle, signed after somebody has changed what it says."""
    listing = verify.examine(parcel.manifest, parcel.digest)
    made = Circumstances(version="1", created=CREATED, checks={"compile": "passed"})
    told = json.loads(sealed_in(provenance.attest(listing, repository, key, made)))
    statement = json.loads(base64.b64decode(told["payload"]))
    change(statement)
    sealed = envelope.seal(provenance.STATEMENT, statement, key)
    return bundle.attachment(parcel, PROVENANCE, sealed, {})


def sealed_in(proof: Parcel) -> bytes:
    """The envelope of a signature or a provenance."""
    (sealed,) = (x for x in proof.blobs.values() if x != bundle.EMPTY_CONTENT)
    return sealed


def accounted(trust: Trust) -> Trust:
    """The same, and nothing without provenance."""
    return replace(trust, provenance="required")


def trusting(*keys: UserKey, repository: str = REPOSITORY) -> Trust:
    """Trust in signatures of these keys."""
    signers = frozenset(key.public for key in keys)
    return Trust(policy="signature", repository=repository, keys=Trusted(signers, nkey.verify))


PINNED = Trust(policy="digest", repository=REPOSITORY, keys=Trusted(frozenset(), nkey.verify))
"""Trust in digests that somebody named."""


def altered(parcel: Parcel, **descriptor: object) -> Parcel:
    """The bundle with other words in the description of its first file."""
    manifest = json.loads(parcel.manifest)
    layer = manifest["layers"][0]
    notes = descriptor.pop("annotations", {})
    layer |= descriptor
    layer["annotations"] |= notes
    return with_manifest(parcel, json.dumps(manifest).encode())


def with_manifest(parcel: Parcel, manifest: bytes) -> Parcel:
    return Parcel(manifest=manifest, blobs=parcel.blobs, artifact_type=parcel.artifact_type)


def first_digest() -> str:
    """The digest of the file that a manifest names first."""
    return digest_of(FILES[min(FILES)])
