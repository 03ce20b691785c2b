"""Where a bundle comes from: an in-toto statement with SLSA provenance, signed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec import Struct

from stratum_graph.definitions.distribution import bundle, envelope
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.envelope import NotSigned, Signer
from stratum_graph.definitions.distribution.signature import CREATED, SIGNER, Trusted
from stratum_graph.definitions.distribution.verify import Listing

PROVENANCE = "application/vnd.in-toto.provenance+dsse"
"""Artifact type and media type of its one layer."""
STATEMENT = "application/vnd.in-toto+json"
MAX_ENVELOPE = 8 << 20
"""A statement names every file of a bundle."""
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_BUILD_TYPE = "urn:stratum:publish:v1"
_PROGRAM = "stratum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How a bundle was made, beside what is in it."""

    version: str
    """Of the program that made it."""
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
        "_type": _STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": subject.digest[7:]}}],
        "predicateType": _PREDICATE_TYPE,
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
                "builder": {"id": _maker(key.public), "version": {_PROGRAM: made.version}},
                "metadata": {"startedOn": made.created},
            },
        },
    }
    sealed = envelope.seal(STATEMENT, statement, key)
    notes = {SIGNER: key.public, CREATED: made.created}
    return bundle.attachment(subject, PROVENANCE, sealed, notes)


class Account(NamedTuple):
    """How a bundle was made, by the word of whoever made it."""

    maker: str
    """Public key."""
    builder: str
    """Name and version of the program."""
    created: str
    """By the maker's own clock."""
    checks: Mapping[str, str]
    """What was checked, and with what result."""


class _Digest(Struct, frozen=True):
    sha256: str


class _Named(Struct, frozen=True):
    name: str
    digest: _Digest


class _External(Struct, frozen=True):
    folders: tuple[str, ...]


class _Internal(Struct, frozen=True):
    generation: str
    checks: Mapping[str, str]


class _Definition(Struct, frozen=True, rename="camel"):
    build_type: str
    external_parameters: _External
    internal_parameters: _Internal
    resolved_dependencies: tuple[_Named, ...]


class _Builder(Struct, frozen=True):
    id: str
    version: Mapping[str, str]


class _Metadata(Struct, frozen=True, rename="camel"):
    started_on: str


class _Details(Struct, frozen=True):
    builder: _Builder
    metadata: _Metadata


class _Predicate(Struct, frozen=True, rename="camel"):
    build_definition: _Definition
    run_details: _Details


class _Statement(
    Struct, frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}
):
    type: str
    subject: tuple[_Named, ...]
    predicate_type: str
    predicate: _Predicate


def check(sealed: bytes, listing: Listing, repository: str, trusted: Trusted) -> Account:
    """How this bundle was made; NotSigned when nobody who counts says that of this bundle."""
    said = envelope.open_sealed(sealed, STATEMENT, trusted.signers, trusted.verify)
    try:
        statement = msgspec.json.decode(said.payload, type=_Statement)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotSigned(f"the statement cannot be read: {error}") from None  # noqa: TRY003
    for wrong in _differences(statement, listing, repository, said.signer):
        raise NotSigned(wrong)
    details, definition = statement.predicate.run_details, statement.predicate.build_definition
    return Account(
        maker=said.signer,
        builder=" ".join(f"{name} {x}" for name, x in details.builder.version.items()),
        created=details.metadata.started_on,
        checks=definition.internal_parameters.checks,
    )


def _differences(
    said: _Statement, listing: Listing, repository: str, signer: str
) -> Iterator[str]:
    """What a statement gets wrong about a bundle, what matters most first."""
    made, builder = said.predicate.build_definition, said.predicate.run_details.builder
    kinds = (said.type, said.predicate_type, made.build_type)
    if kinds != (_STATEMENT_TYPE, _PREDICATE_TYPE, _BUILD_TYPE):
        yield f"it is no provenance of ours, but {' '.join(kinds)[:200]!r}"
    if [f"sha256:{each.digest.sha256}" for each in said.subject] != [listing.digest]:
        yield "it is about another manifest"
    elif said.subject[0].name != repository:
        yield f"it is for the repository {said.subject[0].name[:100]!r}"
    if builder.id != _maker(signer):
        yield f"it names the maker {builder.id[:100]!r}, and {signer} signed it"
    yield from _strangers(made.resolved_dependencies, listing)
    if made.external_parameters.folders != listing.folders:
        yield "it names other folders"
    if made.internal_parameters.generation != listing.generation:
        yield "it names another generation"


def _strangers(named: tuple[_Named, ...], listing: Listing) -> Iterator[str]:
    """Files that only one of the two has, or that differ."""
    says = {each.name: f"sha256:{each.digest.sha256}" for each in named}
    holds = {each.title: each.digest for each in listing.entries}
    for name in sorted(says.keys() | holds.keys()):
        if name not in says:
            yield f"it does not name the file {name}"
        elif name not in holds:
            yield f"it names the file {name[:200]!r}, which is not there"
        elif says[name] != holds[name]:
            yield f"it names other content of the file {name}"
    if len(named) != len(says):
        yield "it names a file twice"


def _maker(public: str) -> str:
    return f"urn:stratum:nkey:{public}"
