"""What can keep bundles: a registry, or a directory in the same layout."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from stratum_graph.definitions.distribution.bundle import Parcel


class Shelf(Protocol):
    """Carries bytes and vouches for none of them: whoever reads verifies.

    Every call may block, and may raise NotPublished, RegistryDenied, RegistryUnavailable,
    or Untrusted for what breaks a bound of its own.
    """

    name: str
    """For messages."""

    def manifest(self, wanted: str) -> bytes:
        """The manifest of a tag or a digest, never more than `Limits.manifest` and one byte."""
        ...

    def blob(self, digest: str, size: int) -> Iterator[bytes]:
        """The parts of a blob; whoever takes them stops behind `size`."""
        ...

    def tags(self) -> Sequence[str]: ...

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str]:
        """Digests of the manifests that say something of this type about the digest."""
        ...

    def put(self, parcel: Parcel, tag: str = "") -> None:
        """Keep it, under the tag too if one is given; one with a subject becomes a referrer."""
        ...
