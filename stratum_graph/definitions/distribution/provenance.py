"""Where a bundle comes from: an in-toto statement with SLSA provenance, signed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratum_graph.definitions.distribution import bundle, envelope
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.envelope import Signer
from stratum_graph.definitions.distribution.signature import CREATED, SIGNER
from stratum_graph.definitions.distribution.verify import Listing

PROVENANCE = "application/vnd.in-toto.provenance+dsse"
"""Artifact type and media type of its one layer."""
STATEMENT = "application/vnd.in-toto+json"
_BUILD_TYPE = "urn:stratum:publish:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How a bundle was made, beside what is in it."""

    builder: str
    """Name and version of the program."""
    created: str
    checks: Mapping[str, str]
    """What was checked before it was published, and with what result."""


def attest(listing: Listing, name: str, key: Signer, made: Circumstances) -> Parcel:
    """The statement about a bundle as an artifact; every file of it is named by digest."""
    subject = Subject(listing.digest, len(listing.manifest))
    files = [
        {"name": each.title, "digest": {"sha256": each.digest.removeprefix("sha256:")}}
        for each in listing.entries
    ]
    statement: dict[str, object] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": subject.digest[7:]}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {"folders": list(listing.folders)},
                "internalParameters": {
                    "generation": listing.generation,
                    "checks": dict(made.checks),
                },
                "resolvedDependencies": files,
            },
            "runDetails": {
                "builder": {"id": f"urn:stratum:nkey:{key.public}", "version": made.builder},
                "metadata": {"startedOn": made.created},
            },
        },
    }
    sealed = envelope.seal(STATEMENT, statement, key)
    notes = {SIGNER: key.public, CREATED: made.created}
    return bundle.attachment(subject, PROVENANCE, sealed, notes)
