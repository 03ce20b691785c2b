"""Where definitions come from, as the settings and the command line name it."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from stratum_graph.errors import BadReference

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DEFAULT_TAG = "latest"

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_MAX_REPOSITORY = 255

Kind = Literal["dir", "oci-layout", "oci"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A folder, or a bundle in an image-layout directory or in a registry."""

    kind: Kind
    place: str
    """The folder, or the registry's host and port."""
    repository: str = ""
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `dir:…`, `oci-layout:…` or `oci://…`; raises BadReference."""
        kind, _, rest = text.partition(":")
        if kind == "dir" and rest:
            return cls(kind="dir", place=rest)
        if kind == "oci-layout" and rest:
            place, tag, digest = _split(text, rest)
            return cls(
                kind="oci-layout",
                place=place,
                repository=Path(place).absolute().name,
                tag=tag,
                digest=digest,
            )
        if kind == "oci" and rest.startswith("//"):
            return cls._registry(text, rest[2:])
        raise BadReference(text, "it begins with none of `dir:`, `oci-layout:` and `oci://`")

    @classmethod
    def _registry(cls, text: str, rest: str) -> Self:
        host, slash, named = rest.partition("/")
        if not slash or not _HOST.fullmatch(host):
            raise BadReference(text, "the registry has to be a host, with a port if need be")
        repository, tag, digest = _split(text, named)
        if not _REPOSITORY.fullmatch(repository) or len(repository) > _MAX_REPOSITORY:
            why = "a repository is made of lower-case words with `/` between them"
            raise BadReference(text, why)
        return cls(kind="oci", place=host, repository=repository, tag=tag, digest=digest)

    @property
    def wanted(self) -> str:
        """The digest, or else the tag."""
        return self.digest or self.tag

    @property
    def store(self) -> str:
        """What all the versions of one bundle have in common."""
        if self.kind == "oci":
            return f"oci://{self.place}/{self.repository}"
        return f"{self.kind}:{self.place}"

    def at(self, wanted: str) -> Self:
        """The same place with another tag or digest; raises BadReference."""
        if DIGEST.fullmatch(wanted):
            return replace(self, tag="", digest=wanted)
        if _TAG.fullmatch(wanted):
            return replace(self, tag=wanted, digest="")
        raise BadReference(wanted, "it is neither a tag nor a digest")

    def __str__(self) -> str:
        if self.digest:
            return f"{self.store}@{self.digest}"
        return f"{self.store}:{self.tag}" if self.tag else self.store


def _split(text: str, rest: str) -> tuple[str, str, str]:
    """The place, the tag and the digest; without both, the default tag."""
    rest, at, digest = rest.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise BadReference(text, "a digest is `sha256:` and 64 hexadecimal digits")
    place, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        place, tag = rest, ""
    elif not _TAG.fullmatch(tag):
        raise BadReference(text, "a tag is made of letters, digits, `.`, `_` and `-`")
    if not place:
        raise BadReference(text, "it names no place")
    return place, "" if digest else tag or DEFAULT_TAG, digest
