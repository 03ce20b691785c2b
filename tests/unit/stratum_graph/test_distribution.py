"""Bundles, references, trees and layouts: what holds whoever carries them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from platform_nats.nkey import UserKey
from stratum_graph.definitions import author
from stratum_graph.definitions.distribution import (
    bundle,
    envelope,
    provenance,
    pull,
    trees,
    verify,
)
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.provenance import Circumstances
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.signature import SIGNATURE
from stratum_graph.errors import BadReference, NotPublished, Untrusted
from support.bundles import FILES, NOTES, PINNED, first_digest, parcel, signed

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "store", "repository", "wanted"),
    [
        (
            "oci://127.0.0.1:5000/team/nodes:v1",
            "oci://127.0.0.1:5000/team/nodes",
            "team/nodes",
            "v1",
        ),
        ("oci://example.com/nodes", "oci://example.com/nodes", "nodes", "latest"),
        (f"oci://[::1]:5000/a/b@{DIGEST}", "oci://[::1]:5000/a/b", "a/b", DIGEST),
        (f"oci://example.com/a:v1@{DIGEST}", "oci://example.com/a", "a", DIGEST),
        ("oci-layout:/srv/nodes:v1", "oci-layout:/srv/nodes", "nodes", "v1"),
        ("oci-layout:/srv:8/nodes", "oci-layout:/srv:8/nodes", "nodes", "latest"),
        (f"oci-layout:nodes@{DIGEST}", "oci-layout:nodes", "nodes", DIGEST),
        ("dir:nodes", "dir:nodes", "", ""),
    ],
)
def test_a_reference_says_where_and_which(
    text: str, store: str, repository: str, wanted: str
) -> None:
    found = Reference.parse(text)

    assert (found.store, found.repository, found.wanted) == (store, repository, wanted)
    assert Reference.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nodes",
        "dir:",
        "oci:example.com/nodes",
        "oci://example.com",
        "oci:///nodes",
        "oci://ann:pw@example.com/nodes",
        "oci://example.com/Nodes",
        "oci://example.com/../nodes",
        "oci://example.com/nodes?x=1",
        "oci://example.com/nodes:v 1",
        "oci://example.com/nodes@sha256:abc",
        "oci://example.com/nodes#x",
        "oci-layout::v1",
        "http://example.com/nodes",
    ],
)
def test_what_is_no_reference_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadReference, match="write `dir:PATH`"):
        Reference.parse(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_reference(text: str) -> None:
    try:
        found = Reference.parse(text)
    except BadReference:
        return
    assert Reference.parse(str(found)) == found


def test_the_same_files_make_the_same_bundle() -> None:
    backwards = dict(reversed(FILES.items()))

    assert bundle.build(backwards, NOTES).manifest == parcel().manifest


def test_one_other_byte_makes_another_bundle() -> None:
    assert parcel(ncl__stratum=b"1").digest != parcel().digest


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_manifest(raw: bytes) -> None:
    with pytest.raises(Untrusted):
        verify.examine(raw, "v1")


@given(st.text(max_size=40))
def test_a_title_never_leaves_its_folder(title: str) -> None:
    name = f"definitions/{title}"

    if verify.is_title(name):
        assert (Path("/root") / name).resolve().is_relative_to("/root/definitions")


def test_a_tree_holds_exactly_the_files(tmp_path: Path) -> None:
    listing = verify.examine(parcel().manifest, "v1")

    tree = trees.lay_out(tmp_path, listing, FILES)

    assert tree.folders == (tmp_path / listing.digest[7:] / "definitions/nodes",)
    assert (tree.folders[0] / "crate/lint/run.nu").read_bytes() == b"def main [] { }"
    assert tree.principals is not None
    assert tree.principals.read_bytes() == FILES["principals/principals.ncl"]


@pytest.mark.parametrize("damage", ["changed", "more", "fewer", "link", "file"])
def test_a_damaged_tree_is_built_anew(tmp_path: Path, damage: str) -> None:
    listing = verify.examine(parcel().manifest, "v1")
    tree = trees.lay_out(tmp_path, listing, FILES)
    script = tree.folders[0] / "crate/lint/run.nu"
    _damage(script, damage, tmp_path / listing.digest[7:])

    trees.lay_out(tmp_path, listing, FILES)

    assert script.read_bytes() == b"def main [] { }"
    assert not script.is_symlink()
    assert not (script.parent / "evil.ncl").exists()
    assert [each.name for each in tmp_path.iterdir()] == [listing.digest[7:]]


def _damage(script: Path, how: str, tree: Path) -> None:
    if how == "more":
        (script.parent / "evil.ncl").write_text("{}")
    elif how == "file":
        tree.rename(tree.with_name("x")).joinpath("ncl").exists()
        for each in sorted(tree.with_name("x").rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        tree.with_name("x").rmdir()
        tree.write_text("")
    else:
        script.chmod(0o644)
        script.unlink()
        if how == "changed":
            script.write_text("rm")
        elif how == "link":
            script.symlink_to("/etc/passwd")


def test_a_damaged_blob_of_a_layout_is_noticed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.put(parcel(), "v1")
    blob = tmp_path / "blobs/sha256" / first_digest()[7:]
    blob.chmod(0o644)
    blob.write_bytes(b"X" * len(FILES[min(FILES)]))

    with pytest.raises(Untrusted, match="layer digest"):
        pull.fetch(layout, parcel().digest, PINNED)
    layout.put(parcel(), "v1")
    assert pull.fetch(layout, parcel().digest, PINNED).files == FILES


def test_a_layout_with_a_garbled_index_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.put(parcel(), "v1")
    (tmp_path / "index.json").chmod(0o644)
    (tmp_path / "index.json").write_text("[" * 100_000)

    with pytest.raises(Untrusted, match="check of its index"):
        layout.tags()


def test_what_is_removed_goes_with_its_signatures_and_leaves_the_rest(tmp_path: Path) -> None:
    layout, key, newer = Layout(tmp_path), UserKey.generate(), parcel(ncl__more=b"1")
    for each, tag in ((parcel(), "v1"), (signed(parcel(), key), ""), (newer, "v2")):
        layout.put(each, tag)

    layout.remove([parcel().digest])

    assert layout.tags() == ["v2"]
    assert layout.digests() == [newer.digest]
    assert pull.fetch(layout, newer.digest, PINNED).files == FILES | {"ncl/more": b"1"}
    assert not layout.referrers(parcel().digest, SIGNATURE)
    with pytest.raises(NotPublished):
        layout.manifest(parcel().digest)


def test_the_provenance_names_every_file_and_its_maker() -> None:
    key = UserKey.generate()
    listing = verify.examine(parcel().manifest, "v1")
    made = Circumstances(version="1", created="2026-01-02T03:04:05Z", checks={})

    attested = provenance.attest(listing, "team/nodes", key, made)

    (sealed,) = (x for x in attested.blobs.values() if x != bundle.EMPTY_CONTENT)
    said = envelope.open_sealed(
        sealed, provenance.STATEMENT, frozenset({key.public}), PINNED.keys.verify
    )
    told = json.loads(said.payload)
    assert told["subject"][0]["digest"]["sha256"] == parcel().digest[7:]
    files = told["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each["name"] for each in files] == sorted(FILES)


def test_what_a_killed_process_left_behind_goes(tmp_path: Path) -> None:
    said = "from stratum_graph.definitions import author; print(author.tag())"
    dead = subprocess.check_output([sys.executable, "-c", said], text=True).strip()
    ours = author.tag()
    layout, root = Layout(tmp_path / "layout"), tmp_path / "trees"
    for folder in (layout.root, root):
        folder.mkdir()
        for name in (f".new-{dead}-a", f".new-{ours}-b"):
            (folder / name).write_text("half")

    layout.put(parcel(), "v1")
    trees.lay_out(root, verify.examine(parcel().manifest, "v1"), FILES)

    for folder in (layout.root, root):
        assert [x.name for x in folder.glob(".new-*")] == [f".new-{ours}-b"]
