"""A directory in the OCI image layout: a registry for one machine, and every verified cache."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from stratum_graph.definitions import author, plain_file
from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.distribution.reference import DIGEST
from stratum_graph.definitions.distribution.verify import Descriptor, Limits, Manifest
from stratum_graph.definitions.plain_file import NotPlain
from stratum_graph.errors import NotPublished, Untrusted

_MAX_INDEX = 16 << 20
_MAX_BLOB = 16 << 20
"""More than any part of a bundle has."""
_PART = 1 << 16
_NEW = ".new-"
"""How files are called that are not whole yet."""
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'


class _Index(msgspec.Struct, rename="camel"):
    schema_version: int = 2
    media_type: str = bundle.INDEX
    manifests: list[Descriptor] = msgspec.field(default_factory=list)


class Layout:
    """Bundles by tag and digest below one folder. Any number of processes may share it."""

    def __init__(self, root: Path) -> None:
        self.name = f"oci-layout:{root}"
        self.root = root
        self._blobs = root / "blobs" / "sha256"

    def manifest(self, wanted: str) -> bytes:
        digest = wanted if DIGEST.fullmatch(wanted) else self._tagged(wanted)
        found = b"".join(self.blob(digest, Limits().manifest))[: Limits().manifest + 1]
        if len(found) <= Limits().manifest and digest_of(found) != digest:
            why = f"the index says {digest}, and the file has {digest_of(found)}"
            raise Untrusted(f"{self.name}:{wanted}", "manifest digest", why)
        return found

    def blob(self, digest: str, size: int) -> Iterator[bytes]:
        left = size + 1
        try:
            with _opened(self._place(digest)) as file:
                while left > 0 and (part := file.read(min(_PART, left))):
                    left -= len(part)
                    yield part
        except FileNotFoundError:
            raise NotPublished(f"{self.name}@{digest}") from None

    def tags(self) -> Sequence[str]:
        named = (each.annotations.get(bundle.REF_NAME, "") for each in self._index().manifests)
        return sorted({name for name in named if name})

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str]:
        listed = self._index().manifests
        found = {
            each.digest
            for each in (*listed, *self._carried(listed, digest))
            if each.media_type == bundle.MANIFEST and self._says(each, digest, artifact_type)
        }
        return sorted(found)

    def put(self, parcel: Parcel, tag: str = "") -> None:
        self._prepare()
        with self._alone() as index:  # or else what is not named yet might be taken for waste
            for content in (*parcel.blobs.values(), parcel.manifest):
                self._keep(content)
            _list(index, parcel, tag)
            self._write_index(index)

    def holds(self, digest: str) -> bool:
        """Whether the blob is there and whole; a damaged one is removed."""
        place = self._place(digest)
        try:
            if digest_of(plain_file.read(place, _MAX_BLOB)) == digest:
                return True
        except FileNotFoundError:
            return False
        except NotPlain:
            pass
        _drop(place)
        return False

    def mend(self) -> None:
        """Begin anew with an index that cannot be read. What it named has to be put again."""
        try:
            self._index()
        except Untrusted:
            _drop(self.root / "index.json")

    def remove(self, digests: Iterable[str]) -> int:
        """Let go of manifests and of every blob that no other manifest names; how many went."""
        gone = set(digests)
        with self._alone() as index:
            index.manifests = [
                each
                for each in index.manifests
                if each.digest not in gone and self._subject(each.digest) not in gone
            ]
            self._write_index(index)
            kept = {name for each in index.manifests for name in self._named(each.digest)}
            files = [
                each for each in self._blobs.iterdir() if f"sha256:{each.name}" not in kept
            ]
            for each in files:
                each.unlink(missing_ok=True)
        return len(files)

    def digests(self) -> Sequence[str]:
        """Every bundle that is kept here."""
        listed = self._index().manifests
        return sorted({x.digest for x in listed if x.artifact_type == bundle.BUNDLE})

    def _tagged(self, tag: str) -> str:
        for each in self._index().manifests:
            if each.annotations.get(bundle.REF_NAME) == tag:
                return each.digest
        raise NotPublished(f"{self.name}:{tag}")

    def _says(self, each: Descriptor, digest: str, artifact_type: str) -> bool:
        # Others may list a referrer without its type: then its manifest tells.
        if each.artifact_type not in {"", artifact_type}:
            return False
        manifest = self._manifest(each.digest)
        if manifest is None or manifest.subject is None:
            return False
        return (manifest.subject.digest, manifest.artifact_type) == (digest, artifact_type)

    def _carried(self, listed: Iterable[Descriptor], digest: str) -> Iterator[Descriptor]:
        """Referrers below the tag that stands for them, which others copied from a registry."""
        tag = digest.replace(":", "-")
        for each in listed:
            if each.media_type == bundle.INDEX and each.annotations.get(bundle.REF_NAME) == tag:
                with suppress(msgspec.DecodeError, RecursionError, NotPublished, Untrusted):
                    text = self.manifest(each.digest)
                    yield from msgspec.json.decode(text, type=_Index).manifests

    def _subject(self, digest: str) -> str:
        manifest = self._manifest(digest)
        return manifest.subject.digest if manifest and manifest.subject else ""

    def _named(self, digest: str) -> Iterator[str]:
        yield digest
        manifest = self._manifest(digest)
        if manifest:
            yield manifest.config.digest
            yield from (layer.digest for layer in manifest.layers)

    def _manifest(self, digest: str) -> Manifest | None:
        try:
            return msgspec.json.decode(self.manifest(digest), type=Manifest)
        except (msgspec.DecodeError, RecursionError, NotPublished, Untrusted):
            return None

    def _index(self) -> _Index:
        place = self.root / "index.json"
        try:
            with _opened(place) as file:
                text = file.read(_MAX_INDEX + 1)
        except FileNotFoundError:
            return _Index()
        if len(text) > _MAX_INDEX:
            raise Untrusted(self.name, "index", f"it has more than {_MAX_INDEX} bytes")
        try:
            return msgspec.json.decode(text, type=_Index)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Untrusted(self.name, "index", str(error)) from None

    @contextmanager
    def _alone(self) -> Iterator[_Index]:
        """The index, for as long as nobody else may write it."""
        with (self.root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._index()

    def _write_index(self, index: _Index) -> None:
        text = json.dumps(msgspec.to_builtins(index), indent=1, sort_keys=True).encode()
        self._write(self.root / "index.json", text)

    def _prepare(self) -> None:
        self._blobs.mkdir(parents=True, exist_ok=True)
        author.clear(self.root, _NEW)
        if not (self.root / "oci-layout").exists():
            self._write(self.root / "oci-layout", _LAYOUT)

    def _keep(self, content: bytes) -> None:
        digest = digest_of(content)
        if not self.holds(digest):
            self._write(self._place(digest), content)

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise NotPublished(f"{self.name}@{digest[:80]}")
        return self._blobs / digest.removeprefix("sha256:")

    def _write(self, place: Path, content: bytes) -> None:
        made_by = f"{_NEW}{author.tag()}-"
        descriptor, name = tempfile.mkstemp(prefix=made_by, dir=self.root)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _drop(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _opened(place: Path) -> BinaryIO:
    """The file for reading. Untrusted: it is none."""
    try:
        return plain_file.opened(place)
    except NotPlain as other:
        raise Untrusted(str(place), "file", str(other.strerror)) from None


def _list(index: _Index, parcel: Parcel, tag: str) -> None:
    """Name the parcel in the index; a tag that is there already moves to it."""
    notes = dict(parcel.annotations) if parcel.subject else {}
    entry = Descriptor(
        media_type=bundle.MANIFEST,
        digest=parcel.digest,
        size=len(parcel.manifest),
        artifact_type=parcel.artifact_type,
        annotations=notes | ({bundle.REF_NAME: tag} if tag else {}),
    )
    listed: dict[tuple[str, str], Descriptor] = {}
    for each in index.manifests:
        name = each.annotations.get(bundle.REF_NAME, "")
        moves = bool(tag) and name == tag  # what loses its tag can still be had by digest
        listed[each.digest, "" if moves else name] = _unnamed(each) if moves else each
    listed[entry.digest, tag] = entry
    named = {digest for digest, name in listed if name}
    index.manifests = [x for (digest, name), x in listed.items() if name or digest not in named]


def _unnamed(entry: Descriptor) -> Descriptor:
    notes = {name: x for name, x in entry.annotations.items() if name != bundle.REF_NAME}
    return msgspec.structs.replace(entry, annotations=notes)
