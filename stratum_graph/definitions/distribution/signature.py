"""Signatures of bundles: who published this manifest in this repository. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from stratum_graph.definitions.distribution import bundle, envelope
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.envelope import NotSigned, Signer, Verify

SIGNATURE = "application/vnd.stratum.signature.v1+json"
"""Artifact type, media type of its one layer, and type of the signed statement."""
MAX_ENVELOPE = 64 << 10
CREATED = "org.opencontainers.image.created"
SIGNER = "dev.stratum.signer"


class Signed(NamedTuple):
    """Who signed a bundle, and when by the signer's own clock."""

    signer: str
    created: str


class _Claim(Struct, frozen=True):
    manifest: str
    size: int
    repository: str
    created: str


class Trusted(NamedTuple):
    """Whose signatures count, and how they are verified."""

    signers: frozenset[str]
    verify: Verify


def signed_at(signed: Signed | None) -> datetime | None:
    """When it was signed, by the signer's own clock; None when that is not said."""
    try:
        found = datetime.fromisoformat(signed.created) if signed else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def sign(subject: Subject, repository: str, key: Signer, created: str) -> Parcel:
    """The signature as an artifact; the repository inside keeps it from being moved."""
    claim: dict[str, object] = {
        "manifest": subject.digest,
        "size": subject.size,
        "repository": repository,
        "created": created,
    }
    sealed = envelope.seal(SIGNATURE, claim, key)
    notes = {SIGNER: key.public, CREATED: created}
    return bundle.attachment(subject, SIGNATURE, sealed, notes)


def check(sealed: bytes, subject: Subject, repository: str, trusted: Trusted) -> Signed:
    """Who signed the subject; NotSigned when nobody did whose signature counts."""
    said = envelope.open_sealed(sealed, SIGNATURE, trusted.signers, trusted.verify)
    try:
        claim = msgspec.json.decode(said.payload, type=_Claim)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotSigned(f"the statement cannot be read: {error}") from None  # noqa: TRY003
    if (claim.manifest, claim.size) != (subject.digest, subject.size):
        raise NotSigned("it is about another manifest")  # noqa: TRY003
    if claim.repository != repository:
        raise NotSigned(f"it is for the repository {claim.repository[:100]!r}")  # noqa: TRY003
    return Signed(said.signer, claim.created)
