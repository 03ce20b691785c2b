"""Fetching a bundle: every check in order, and only then is it in the cache."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle, signature, verify
from stratum_graph.definitions.distribution.bundle import Parcel, Subject
from stratum_graph.definitions.distribution.envelope import NotSigned
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.reference import DIGEST
from stratum_graph.definitions.distribution.shelf import Shelf
from stratum_graph.definitions.distribution.signature import SIGNATURE, Signed, Trusted
from stratum_graph.definitions.distribution.verify import Descriptor, Entry, Limits, Listing
from stratum_graph.errors import NotPublished, Untrusted

_MAX_SIGNATURES = 32
_PINNED = "only a digest that somebody named is trusted (definitions.trust is 'digest')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What has to be proved before a bundle is used."""

    policy: Literal["digest", "signature"]
    repository: str
    """What a signature has to name."""
    keys: Trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle that passed every check, with its bytes."""

    listing: Listing
    files: Mapping[str, bytes] = field(repr=False)
    """Content by title."""
    signed: Signed | None
    signatures: tuple[Parcel, ...] = field(default=(), repr=False)

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
        return (whole, *self.signatures)


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
    signed, signatures = None, tuple[Parcel, ...]()
    if trust.policy == "signature":
        signed, found = _signature(shelf, subject, trust)
        signatures = (found,)
    files = {each.title: _file(shelf, each, known) for each in listing.entries}
    return Verified(listing=listing, files=files, signed=signed, signatures=signatures)


def signed_by(shelf: Shelf, subject: Subject, trust: Trust) -> Signed | None:
    """Who signed it, of those that are trusted."""
    with suppress(Untrusted):
        return _signature(shelf, subject, trust)[0]
    return None


def _signature(shelf: Shelf, subject: Subject, trust: Trust) -> tuple[Signed, Parcel]:
    what = f"bundle {shelf.name}@{subject.digest}"
    why = "it has none"
    for digest in shelf.referrers(subject.digest, SIGNATURE)[:_MAX_SIGNATURES]:
        try:
            found = _attached(shelf, digest, subject)
            (sealed,) = (x for x in found.blobs.values() if x != bundle.EMPTY_CONTENT)
            return signature.check(sealed, subject, trust.repository, trust.keys), found
        except (NotSigned, Untrusted, NotPublished, ValueError) as refused:
            why = str(refused)
    raise Untrusted(what, "signature", why)


def _attached(shelf: Shelf, digest: str, subject: Subject) -> Parcel:
    what = f"signature {digest}"
    raw = shelf.manifest(digest)
    manifest = verify.parse(raw, what, Limits(), wanted=digest)
    if manifest.subject is None or manifest.subject.digest != subject.digest:
        raise Untrusted(what, "subject", "it is about another manifest")
    if len(manifest.layers) != 1 or manifest.artifact_type != SIGNATURE:
        raise Untrusted(what, "manifest shape", "it is no signature")
    content = read(shelf, manifest.layers[0], signature.MAX_ENVELOPE, what)
    return Parcel(
        manifest=raw,
        blobs={manifest.layers[0].digest: content, **_EMPTY},
        artifact_type=SIGNATURE,
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
