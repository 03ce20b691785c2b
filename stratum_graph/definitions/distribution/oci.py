"""A registry that speaks the OCI distribution protocol. It is believed nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle, verify
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.distribution.reference import DIGEST, Reference
from stratum_graph.definitions.distribution.transport import Transport
from stratum_graph.definitions.distribution.verify import Descriptor, Limits
from stratum_graph.definitions.web.cord import Cord
from stratum_graph.definitions.web.reach import Everywhere, Reaching
from stratum_graph.errors import NotPublished, RegistryDenied, Untrusted

_PAGE, _MAX_TAGS = 1000, 10_000
_MAX_UNTYPED = 32
_MAX_INDEX = 4 << 20
_MANIFEST = {"Accept": bundle.MANIFEST}
_INDEX = {"Accept": bundle.INDEX}

Shape = TypeVar("Shape", bound=msgspec.Struct)


class _Index(msgspec.Struct, rename="camel"):
    manifests: list[Descriptor] = []


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class Registry:
    """One repository of a registry. Not for several threads at once."""

    def __init__(
        self,
        reference: Reference,
        access: Access,
        reach: Reaching | None = None,
        cord: Cord | None = None,
    ) -> None:
        """Without a reach, any machine may be asked: whoever named it runs this one."""
        self.name = reference.store
        self._http = Transport(reference.place, access, reach or Everywhere(), cord)
        self._base = self._http.repository(reference.repository)

    def manifest(self, wanted: str) -> bytes:
        try:
            return self._whole(f"manifests/{wanted}", _MANIFEST, Limits().manifest)
        except NotPublished:
            mark = "@" if DIGEST.fullmatch(wanted) else ":"
            raise NotPublished(f"{self.name}{mark}{wanted}") from None

    def blob(self, digest: str, size: int) -> Iterator[bytes]:
        del size  # whoever takes the parts counts them
        url = f"{self._base}/blobs/{digest}"
        with self._http.ask("GET", url) as response:
            yield from self._http.parts(response, url)

    def tags(self) -> Sequence[str]:
        found: list[str] = []
        while len(found) < _MAX_TAGS:
            query = {"n": str(_PAGE)} | ({"last": found[-1]} if found else {})
            try:
                text = self._whole(f"tags/list?{urlencode(query)}", {}, _MAX_INDEX)
            except NotPublished:
                break
            page = [x for x in self._read(text, _Tags).tags or [] if x not in found]
            found += page
            if len(page) < _PAGE:
                break
        # Where a registry lacks the referrers' interface, such tags stand for it.
        return sorted(tag for tag in found if not DIGEST.fullmatch(tag.replace("-", ":", 1)))

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str]:
        listed = [*self._referrers(f"referrers/{digest}"), *self._fallback(digest)]
        named = {each.digest: each for each in listed if DIGEST.fullmatch(each.digest)}
        untyped = [x for x, each in named.items() if not each.artifact_type][:_MAX_UNTYPED]
        return [
            name
            for name, each in named.items()
            if each.artifact_type == artifact_type
            or (name in untyped and self._is(name, artifact_type))
        ]

    def _is(self, digest: str, artifact_type: str) -> bool:
        """Whether a manifest says so itself: copies may be listed without their type."""
        try:
            found = verify.parse(self.manifest(digest), digest, Limits(), wanted=digest)
        except (NotPublished, Untrusted):
            return False
        return found.artifact_type == artifact_type

    def put(self, parcel: Parcel, tag: str = "") -> None:
        for digest, content in parcel.blobs.items():
            self._put_blob(digest, content)
        where = tag or parcel.digest
        answer = self._put_manifest(where, parcel.manifest, bundle.MANIFEST)
        # A registry that says no word of the subject keeps no list of what refers to it.
        if parcel.subject and "OCI-Subject" not in answer:
            self._list_referrer(parcel)

    def _put_blob(self, digest: str, content: bytes) -> None:
        try:
            with self._http.ask("HEAD", f"{self._base}/blobs/{digest}"):
                return
        except NotPublished:
            pass
        start = f"{self._base}/blobs/uploads/"
        with self._http.ask("POST", start) as response:
            location = self._http.within(start, response.headers.get("Location", ""))
        mark = "&" if "?" in location else "?"
        kind = {"Content-Type": "application/octet-stream"}
        target = f"{location}{mark}{urlencode({'digest': digest})}"
        with self._http.ask("PUT", target, kind, content):
            pass

    def _put_manifest(self, where: str, manifest: bytes, media_type: str) -> Mapping[str, str]:
        url = f"{self._base}/manifests/{where}"
        with self._http.ask("PUT", url, {"Content-Type": media_type}, manifest) as response:
            said = response.headers.get("Docker-Content-Digest", "")
            headers = {**response.headers}
        if said and said != digest_of(manifest):
            raise Untrusted(self.name, "manifest digest", f"the registry stored {said[:80]}")
        return headers

    def _list_referrer(self, parcel: Parcel) -> None:
        entry = Descriptor(
            media_type=bundle.MANIFEST,
            digest=parcel.digest,
            size=len(parcel.manifest),
            artifact_type=parcel.artifact_type,
            annotations=parcel.annotations,
        )
        others = [x for x in self._fallback(parcel.subject) if x.digest != entry.digest]
        index = {
            "schemaVersion": 2,
            "mediaType": bundle.INDEX,
            "manifests": msgspec.to_builtins([*others, entry]),
        }
        text = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
        self._put_manifest(parcel.subject.replace(":", "-"), text, bundle.INDEX)

    def _fallback(self, digest: str) -> list[Descriptor]:
        return self._referrers(f"manifests/{digest.replace(':', '-')}")

    def _referrers(self, path: str) -> list[Descriptor]:
        try:
            text = self._whole(path, _INDEX, _MAX_INDEX)
        except NotPublished:
            return []
        except RegistryDenied:
            if path.startswith("manifests/"):
                raise
            return []  # some refuse what they do not know
        return self._read(text, _Index).manifests

    def _read(self, text: bytes, shape: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(text, type=shape)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Untrusted(self.name, "answer", str(error)) from None

    def _whole(self, path: str, headers: Mapping[str, str], limit: int) -> bytes:
        url = f"{self._base}/{path}"
        taken = bytearray()
        with self._http.ask("GET", url, headers) as response:
            for part in self._http.parts(response, url):
                taken += part
                if len(taken) > limit:
                    raise Untrusted(url, "manifest size", f"more than {limit} bytes")
            said = response.headers.get("Docker-Content-Digest", "")
        if said and said != digest_of(bytes(taken)):
            why = f"the registry says {said[:80]}, and sent {digest_of(bytes(taken))}"
            raise Untrusted(url, "manifest digest", why)
        return bytes(taken)
