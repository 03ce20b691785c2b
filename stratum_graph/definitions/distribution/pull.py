"""Fetching a bundle: every check in order, and only then is it in the cache."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle, provenance, signature, verify
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.envelope import NotSigned
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.provenance import PROVENANCE, Account
from stratum_graph.definitions.distribution.reference import DIGEST
from stratum_graph.definitions.distribution.shelf import Shelf
from stratum_graph.definitions.distribution.signature import SIGNATURE, Signed, Trusted
from stratum_graph.definitions.distribution.verify import Descriptor, Entry, Limits, Listing
from stratum_graph.errors import NotPublished, RegistryDenied, Untrusted

_MAX_PROOFS = 32
_NOBODY = "definitions.signers names nobody whose word would count"
_PINNED = "only a digest that somebody named is trusted (definitions.trust is 'digest')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What has to be proved before a bundle is used."""

    policy: Literal["digest", "signature"]
    repository: str
    """What signatures and provenance have to name."""
    keys: Trusted
    provenance: Literal["optional", "required"] = "optional"
    """Whether nothing is used without a word by one of the keys on how it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle that passed every check, with its bytes."""

    listing: Listing
    files: Mapping[str, bytes] = field(repr=False)
    """Content by title."""
    signed: Signed | None
    account: Account | None = None
    """How it was made; None when nobody who counts says so."""
    unaccounted: str = ""
    """Why there is no account."""
    proofs: tuple[Parcel, ...] = field(default=(), repr=False)
    """Signature and provenance."""

    @property
    def digest(self) -> str:
        return self.listing.digest

    @property
    def parcels(self) -> tuple[Parcel, ...]:
        """The bundle and what proves it, as another shelf may keep them."""
        blobs = {digest_of(content): content for content in self.files.values()}
        empty = {digest_of(bundle.EMPTY_CONTENT): bundle.EMPTY_CONTENT}
        whole = Parcel(
            manifest=self.listing.manifest,
            blobs=empty | blobs,
            artifact_type=bundle.BUNDLE,
            annotations=self.listing.annotations,
        )
        return (whole, *self.proofs)


def resolve(shelf: Shelf, wanted: str) -> str:
    """The digest that a tag stands for now. It proves nothing."""
    return wanted if DIGEST.fullmatch(wanted) else digest_of(shelf.manifest(wanted))


def fetch(shelf: Shelf, wanted: str, trust: Trust, *, known: Layout | None = None) -> Verified:
    """The bundle of a tag or digest, verified; `known` saves transfers of blobs.

    Raises Untrusted with the check that it fails, and whatever the shelf raises.
    """
    limits = Limits()
    if trust.policy == "digest" and not DIGEST.fullmatch(wanted):
        what = f"bundle {shelf.name}:{wanted}"
        raise Untrusted(what, "trust", _PINNED)
    raw = shelf.manifest(wanted)
    listing = verify.examine(raw, wanted, limits)
    subject = Subject(listing.digest, len(raw))
    signed, proofs = None, list[Parcel]()
    if trust.policy == "signature":
        signed, found = _signature(shelf, subject, trust)
        proofs.append(found)
    account = _account(shelf, listing, trust)
    files = {each.title: _file(shelf, each, known) for each in listing.entries}
    return Verified(
        listing=listing,
        files=files,
        signed=signed,
        account=account.found,
        unaccounted=account.why,
        proofs=(*proofs, *account.proofs),
    )


def signed_by(shelf: Shelf, subject: Subject, trust: Trust) -> Signed | None:
    """Who signed it, of those that are trusted."""
    with suppress(Untrusted):
        return _signature(shelf, subject, trust)[0]
    return None


def accounted_by(shelf: Shelf, listing: Listing, trust: Trust) -> Account | None:
    """How it was made, by the word of those that are trusted."""
    return _account(shelf, listing, trust).found


class _Sought(NamedTuple):
    """An account, or why there is none."""

    found: Account | None = None
    why: str = ""
    proofs: tuple[Parcel, ...] = ()


def _account(shelf: Shelf, listing: Listing, trust: Trust) -> _Sought:
    """The latest; Untrusted if there has to be one and is none."""
    subject = Subject(listing.digest, len(listing.manifest))
    kind = _Kind("provenance", PROVENANCE, provenance.MAX_ENVELOPE)

    def check(sealed: bytes) -> Account:
        return provenance.check(sealed, listing, trust.repository, trust.keys)

    if not trust.keys.signers and trust.provenance == "optional":
        return _Sought(why=_NOBODY)
    try:
        found, proof = max(_proved(shelf, subject, kind, check), key=_latest)
    except (Untrusted, RegistryDenied) as refused:
        if trust.provenance == "required":
            raise
        return _Sought(why=refused.why if isinstance(refused, Untrusted) else str(refused))
    return _Sought(found, proofs=(proof,))


def _latest(proved: tuple[Account, Parcel]) -> tuple[str, int]:
    account, _ = proved
    return account.created, len(account.checks)


def _signature(shelf: Shelf, subject: Subject, trust: Trust) -> tuple[Signed, Parcel]:
    def check(sealed: bytes) -> Signed:
        return signature.check(sealed, subject, trust.repository, trust.keys)

    kind = _Kind("signature", SIGNATURE, signature.MAX_ENVELOPE)
    return next(_proved(shelf, subject, kind, check))


class _Kind(NamedTuple):
    """What may be attached to a bundle."""

    check: str
    artifact_type: str
    limit: int
    """Bytes of its envelope."""


_Told = TypeVar("_Told")


def _proved(
    shelf: Shelf, subject: Subject, kind: _Kind, check: Callable[[bytes], _Told]
) -> Iterator[tuple[_Told, Parcel]]:
    """The statements of this kind that pass; Untrusted says why the last does not, if none."""
    why, good = "it has none", False
    for digest in shelf.referrers(subject.digest, kind.artifact_type)[:_MAX_PROOFS]:
        try:
            sealed, found = _attached(shelf, digest, subject, kind)
            yield check(sealed), found
            good = True
        except (NotSigned, Untrusted, NotPublished, ValueError) as refused:
            why = str(refused)
    if not good:
        what = f"bundle {shelf.name}@{subject.digest}"
        raise Untrusted(what, kind.check, why)


def _attached(shelf: Shelf, digest: str, subject: Subject, kind: _Kind) -> tuple[bytes, Parcel]:
    """The envelope, which proves nothing yet, and the artifact around it."""
    what = f"{kind.check} {digest}"
    raw = shelf.manifest(digest)
    manifest = verify.parse(raw, what, Limits(), wanted=digest)
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        raise Untrusted(what, "subject", "it is about another manifest")
    if len(manifest.layers) != 1 or manifest.artifact_type != kind.artifact_type:
        raise Untrusted(what, "manifest shape", f"it is no {kind.check}")
    content = read(shelf, manifest.layers[0], kind.limit, what)
    return content, Parcel(
        manifest=raw,
        blobs={manifest.layers[0].digest: content, **_EMPTY},
        artifact_type=kind.artifact_type,
        annotations=manifest.annotations,
        subject=subject.digest,
    )


_EMPTY = {digest_of(bundle.EMPTY_CONTENT): bundle.EMPTY_CONTENT}


def _file(shelf: Shelf, entry: Entry, known: Layout | None) -> bytes:
    if known is not None and known.holds(entry.digest):
        return read(known, entry, entry.size, entry.title)
    return read(shelf, entry, entry.size, entry.title)


def read(shelf: Shelf, described: Descriptor | Entry, limit: int, what: str) -> bytes:
    """A blob that is no larger than the limit, compared with what was described; Untrusted."""
    if described.size > limit or not DIGEST.fullmatch(described.digest):
        raise Untrusted(what, "layer size", f"more than {limit} bytes")
    parts = shelf.blob(described.digest, described.size)
    return verify.blob(_joined(parts, described.size, what), described, what)


def _joined(parts: Iterable[bytes], size: int, what: str) -> bytes:
    """The parts put together, as long as they are no more than was declared."""
    taken = bytearray()
    for part in parts:
        taken += part
        if len(taken) > size:
            raise Untrusted(what, "layer size", f"more than the declared {size} bytes")
    return bytes(taken)
