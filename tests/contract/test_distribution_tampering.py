"""Each part of a bundle in a directory, altered by whoever can write there; nothing loads."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle, pull
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.errors import NotPublished, Untrusted
from support.bundles import FILES, PINNED, altered, first_digest, parcel, signed, trusting

FIRST = FILES[min(FILES)]
KEY = UserKey.generate()


@pytest.fixture
def shelf(tmp_path: Path) -> Layout:
    """A directory with a signed bundle in it, which may be altered."""
    shelf = Layout(tmp_path / "layout")
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), KEY))
    for each in shelf.root.rglob("*"):
        each.chmod(0o755)
    assert pull.fetch(shelf, "v1", trusting(KEY)).files == FILES
    return shelf


def refused(shelf: Layout, check: str, wanted: str = "v1") -> None:
    with pytest.raises(Untrusted) as refusal:
        pull.fetch(shelf, wanted, trusting(KEY))
    assert refusal.value.check == check


def blob(shelf: Layout, digest: str) -> Path:
    return shelf.root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def relabel(shelf: Layout, change: Callable[[list[dict[str, object]]], object]) -> None:
    """Change what the index lists."""
    file = shelf.root / "index.json"
    index = json.loads(file.read_text())
    change(index["manifests"])
    file.write_text(json.dumps(index))


def test_a_blob_with_other_bytes(shelf: Layout) -> None:
    blob(shelf, first_digest()).write_bytes(b"X" * len(FIRST))

    refused(shelf, "layer digest")


@pytest.mark.parametrize("content", [b"", FIRST[:-1], FIRST + b"X"])
def test_a_blob_of_another_size(shelf: Layout, content: bytes) -> None:
    blob(shelf, first_digest()).write_bytes(content)

    refused(shelf, "layer size")


@pytest.mark.parametrize("place", ["blob", "manifest", "index"])
def test_a_file_that_is_enormous(shelf: Layout, place: str) -> None:
    files = {
        "blob": (blob(shelf, first_digest()), "layer size"),
        "manifest": (blob(shelf, parcel().digest), "manifest size"),
        "index": (shelf.root / "index.json", "index"),
    }
    file, check = files[place]
    os.truncate(file, 1 << 40)  # sparse: it holds a terabyte of nothing

    refused(shelf, check)


@pytest.mark.parametrize("place", ["blob", "manifest", "index"])
@pytest.mark.parametrize("endless", ["pipe", "device", "folder"])
def test_a_file_that_is_none(shelf: Layout, place: str, endless: str) -> None:
    files = {"blob": first_digest(), "manifest": parcel().digest}
    file = blob(shelf, files[place]) if place in files else shelf.root / "index.json"
    file.unlink()
    match endless:
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case _:
            file.mkdir()

    refused(shelf, "file")


def test_a_blob_that_is_gone(shelf: Layout) -> None:
    blob(shelf, first_digest()).unlink()

    with pytest.raises(NotPublished):
        pull.fetch(shelf, "v1", trusting(KEY))


@pytest.mark.parametrize("wanted", ["v1", parcel().digest])
def test_a_manifest_with_other_bytes(shelf: Layout, wanted: str) -> None:
    blob(shelf, parcel().digest).write_bytes(parcel(ncl__evil=b"1").manifest)

    refused(shelf, "manifest digest", wanted)


def test_a_tag_that_is_moved_to_what_nobody_signed(shelf: Layout) -> None:
    shelf.put(parcel(ncl__evil=b"1"), "v1")

    refused(shelf, "signature")


def test_a_tag_that_is_moved_to_what_is_no_bundle(shelf: Layout) -> None:
    proof = signed(parcel(), KEY)
    relabel(shelf, lambda listed: [each.update(digest=proof.digest) for each in listed])

    refused(shelf, "artifact type")


def test_a_signature_with_other_bytes(shelf: Layout) -> None:
    (sealed,) = (x for x, text in signed(parcel(), KEY).blobs.items() if text != b"{}")
    file = blob(shelf, sealed)
    file.write_bytes(file.read_bytes().swapcase())

    refused(shelf, "signature")


def test_a_signature_that_is_taken_off(shelf: Layout) -> None:
    relabel(shelf, lambda listed: listed.remove(listed[-1]))

    refused(shelf, "signature")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"annotations": {bundle.CONTENT: "0" * 64}}, "annotation"),
        ({"annotations": {bundle.TITLE: "../../evil"}}, "title"),
        ({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}, "media type"),
        ({"size": 1 << 40}, "layer size"),
        ({"size": 1}, "layer size"),
        ({"digest": digest_of(b"elsewhere")}, "annotation"),
    ],
)
def test_a_description_that_is_altered(
    shelf: Layout, change: dict[str, object], check: str
) -> None:
    """It has another digest then: nobody has signed that, and whoever names it is no safer."""
    lying = altered(parcel(), **change)
    blob(shelf, lying.digest).write_bytes(lying.manifest)
    relabel(shelf, lambda listed: listed[0].update(digest=lying.digest))

    with pytest.raises(Untrusted):
        pull.fetch(shelf, "v1", trusting(KEY))
    with pytest.raises(Untrusted, match=f"check of its {check}:"):
        pull.fetch(shelf, lying.digest, PINNED)


@pytest.mark.parametrize("text", [b"", b"null", b"\xff", b"[" * 100_000, b'{"manifests": 1}'])
def test_an_index_of_garbage(shelf: Layout, text: bytes) -> None:
    (shelf.root / "index.json").write_bytes(text)

    refused(shelf, "index")
