import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.errors import NotPublished, RegistryDenied, Untrusted
from stratum_orchestrator.config import Definitions, Registry, Settings
from stratum_orchestrator.distribution.supply import Supply
from stratum_orchestrator.knowledge import Sources
from support.bundles import FILES, attested, parcel, signed

NEWER = {"ncl__more": b"1"}


@pytest.fixture
def key() -> UserKey:
    return UserKey.generate()


@pytest.fixture
def origin(tmp_path: Path, key: UserKey) -> Layout:
    """A directory with one good bundle, which carries the tag."""
    origin = Layout(tmp_path / "nodes")
    origin.put(parcel(), "v1")
    origin.put(signed(parcel(), key, "nodes"))
    return origin


def supply(tmp_path: Path, key: UserKey, **more: object) -> Supply:
    chosen = msgspec.structs.replace(
        Definitions(source="oci-layout:nodes:v1", signers=(key.public,)), **more
    )
    local = Sources(
        folders=(tmp_path / "local",),
        library=tmp_path / "library",
        principals=tmp_path / "principals.ncl",
        policies=tmp_path / "policies",
        access=tmp_path / "access",
        subjects=("events.>",),
    )
    registry = Registry(password_file="password")  # noqa: S106 - a file's name
    settings = Settings(definitions=chosen, registry=registry)
    return Supply(local, settings, tmp_path, tmp_path / "home")


def publish(origin: Layout, key: UserKey, **changed: bytes) -> str:
    newer = parcel(**changed)
    origin.put(signed(newer, key, "nodes"))
    origin.put(newer, "v1")
    return newer.digest


def test_without_a_source_the_folders_count(tmp_path: Path, key: UserKey) -> None:
    plain = supply(tmp_path, key, source="")

    resolved = plain.resolve()

    assert resolved.digest == ""
    assert resolved.sources.folders == (tmp_path / "local",)


def test_a_folder_can_be_named_as_the_source(tmp_path: Path, key: UserKey) -> None:
    resolved = supply(tmp_path, key, source="dir:other").resolve()

    assert resolved.sources.folders == (tmp_path / "other",)


@pytest.mark.usefixtures("origin")
def test_a_bundle_brings_everything_along(tmp_path: Path, key: UserKey) -> None:
    resolved = supply(tmp_path, key).resolve()

    found = resolved.sources
    assert (resolved.digest, resolved.signer) == (parcel().digest, key.public)
    assert (found.folders[0] / "crate/lint/run.nu").is_file()
    assert (found.library / "stratum.ncl").is_file()
    assert (found.policies / "roles.cedar").is_file()
    assert found.principals.read_bytes() == FILES["principals/principals.ncl"]
    assert resolved.warnings == ()


def test_what_is_active_stays_although_the_tag_moves(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    first = supply(tmp_path, key).resolve().digest
    newer = publish(origin, key, **NEWER)

    resolved = supply(tmp_path, key).resolve(first)

    assert resolved.digest == first
    assert resolved.newer == newer


def test_the_verified_cache_serves_while_the_source_is_away(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    first = supply(tmp_path, key).resolve().digest
    origin.root.rename(tmp_path / "away")

    for active in (first, ""):
        resolved = supply(tmp_path, key).resolve(active)
        assert resolved.digest == first
        assert resolved.warnings


def test_the_last_good_one_serves_when_the_new_one_is_unsigned(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    first = supply(tmp_path, key).resolve().digest
    origin.put(parcel(**NEWER), "v1")

    resolved = supply(tmp_path, key).resolve()

    assert resolved.digest == first
    assert "check of its signature" in resolved.warnings[0]


@pytest.mark.usefixtures("origin")
def test_nothing_serves_when_there_never_was_a_good_one(tmp_path: Path) -> None:
    stranger = UserKey.generate()

    with pytest.raises(Untrusted, match="is not trusted"):
        supply(tmp_path, stranger).resolve()
    assert not (tmp_path / "home" / "bundles" / "trees").exists()


@pytest.mark.usefixtures("origin")
def test_the_cache_is_no_way_around_trust(tmp_path: Path, key: UserKey) -> None:
    first = supply(tmp_path, key).resolve().digest

    with pytest.raises(Untrusted, match="check of its signature"):
        supply(tmp_path, UserKey.generate()).resolve(first)


@pytest.mark.usefixtures("origin")
def test_a_damaged_cache_is_fetched_again(tmp_path: Path, key: UserKey) -> None:
    first = supply(tmp_path, key).resolve()
    for file in (tmp_path / "home/bundles/blobs/sha256").iterdir():
        file.chmod(0o644)
        file.write_bytes(b"x")
    script = first.sources.folders[0] / "crate/lint/run.nu"
    script.chmod(0o644)
    script.write_text("evil")

    again = supply(tmp_path, key).resolve(first.digest)

    assert again.digest == first.digest
    assert script.read_bytes() == b"def main [] { }"


def test_a_damaged_cache_serves_nobody_when_the_source_is_away(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    first = supply(tmp_path, key).resolve().digest
    for file in (tmp_path / "home/bundles/blobs/sha256").iterdir():
        file.chmod(0o644)
        file.write_bytes(b"x")
    origin.root.rename(tmp_path / "away")

    with pytest.raises((NotPublished, Untrusted)):
        supply(tmp_path, key).resolve(first)


@pytest.mark.usefixtures("origin")
def test_where_digests_are_trusted_somebody_has_to_name_one(
    tmp_path: Path, key: UserKey
) -> None:
    by_digest = supply(tmp_path, key, trust="digest", signers=())

    assert by_digest.resolve(parcel().digest).digest == parcel().digest
    with pytest.raises(Untrusted, match="check of its trust"):
        by_digest.resolve()


def test_a_carried_directory_can_keep_the_repository_that_was_signed(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    origin.root.rename(tmp_path / "carried")

    with pytest.raises(Untrusted, match="it is for the repository 'nodes'"):
        supply(tmp_path, key, source="oci-layout:carried:v1").resolve()
    named = supply(tmp_path, key, source="oci-layout:carried:v1", repository="nodes")
    assert named.resolve().digest == parcel().digest


def test_what_is_not_kept_goes_from_the_cache(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    mine = supply(tmp_path, key)
    first = mine.resolve()
    newer = publish(origin, key, **NEWER)
    mine.fetch("v1")

    assert mine.collect(frozenset({newer})) == 1

    assert mine.cache.digests() == [newer]
    assert not first.sources.library.exists()
    assert mine.resolve(newer).digest == newer


def test_where_provenance_is_asked_for_later_it_is_fetched_and_kept(
    tmp_path: Path, key: UserKey, origin: Layout
) -> None:
    first = supply(tmp_path, key).resolve().digest
    strict = supply(tmp_path, key, provenance="required")

    with pytest.raises(Untrusted, match="check of its provenance: it has none"):
        strict.resolve(first)
    origin.put(attested(parcel(), key, repository="nodes"))
    assert strict.resolve(first).digest == first
    origin.root.rename(tmp_path / "away")
    assert strict.resolve(first).digest == first


@pytest.mark.usefixtures("origin")
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _: None, "No such file or directory"),
        (os.mkfifo, "it is no plain file"),
        (lambda x: x.write_bytes(b"\xff"), "it is no text"),
    ],
)
def test_a_password_that_cannot_be_had_is_told(
    tmp_path: Path, key: UserKey, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "password")
    there = supply(tmp_path, key, source="oci://127.0.0.1:1/team/nodes:v1")

    with pytest.raises(RegistryDenied, match=f"password cannot be read: {why}"):
        there.resolve()


def test_provenance_by_nobody_in_particular_is_asked_for_in_vain(tmp_path: Path) -> None:
    key = UserKey.generate()
    strict = supply(tmp_path, key, trust="digest", signers=(), provenance="required")

    with pytest.raises(Untrusted, match=r"check of its provenance: .* names nobody"):
        strict.resolve(parcel().digest)


def cut(file: Path) -> None:
    file.write_bytes(b"{")


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def terabyte(file: Path) -> None:
    os.truncate(file, 1 << 40)  # sparse: it holds nothing


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.usefixtures("origin")
@pytest.mark.parametrize("place", ["index.json", "blobs/sha256/D", "trees/D/ncl/stratum.ncl"])
@pytest.mark.parametrize("harm", [cut, pipe, link_to_itself, folder, terabyte, gone])
def test_whatever_becomes_of_the_cache_it_is_made_anew(
    tmp_path: Path, key: UserKey, place: str, harm: Callable[[Path], None]
) -> None:
    first = supply(tmp_path, key).resolve().digest
    file = tmp_path / "home" / "bundles" / place.replace("D", first[7:])
    file.chmod(0o644)
    harm(file)

    held = supply(tmp_path, key).held()
    again = supply(tmp_path, key).resolve(first)

    assert set(held) <= {first}
    assert again.digest == first
    assert (again.sources.library / "stratum.ncl").read_bytes() == FILES["ncl/stratum.ncl"]
    assert supply(tmp_path, key).held() == [first]
