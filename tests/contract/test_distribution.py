"""What everybody may rely on who publishes and fetches bundles, wherever they are kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution import pull
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.shelf import Shelf
from stratum_graph.definitions.distribution.signature import SIGNATURE
from stratum_graph.errors import NotPublished, Untrusted
from support import registry
from support.bundles import FILES, PINNED, REPOSITORY, altered, parcel, signed, trusting


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if registry.PROGRAM is None:
        pytest.skip(registry.MISSING)
    with registry.serving(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(params=["layout", "registry"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "layout":
        return Layout(tmp_path / "layout")
    host = request.getfixturevalue("host")
    repository = f"{tmp_path.name.replace('_', '-')}/nodes".lower()
    return Registry(Reference.parse(f"oci://{host}/{repository}"), Access())


@pytest.fixture
def key() -> UserKey:
    return UserKey.generate()


def test_what_was_put_under_a_tag_comes_back_whole(shelf: Shelf, key: UserKey) -> None:
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), key))

    found = pull.fetch(shelf, "v1", trusting(key))

    assert found.files == FILES
    assert found.digest == parcel().digest
    assert found.signed is not None
    assert found.signed.signer == key.public


def test_a_digest_that_somebody_named_needs_no_signature(shelf: Shelf) -> None:
    shelf.put(parcel(), "v1")

    assert pull.fetch(shelf, parcel().digest, PINNED).files == FILES


def test_a_tag_alone_is_no_pin(shelf: Shelf) -> None:
    shelf.put(parcel(), "v1")

    with pytest.raises(Untrusted, match="check of its trust"):
        pull.fetch(shelf, "v1", PINNED)


def test_a_tag_moves_and_the_older_digest_stays(shelf: Shelf) -> None:
    newer = parcel(ncl__stratum=b"", ncl__more=b"1")
    shelf.put(parcel(), "v1")
    shelf.put(newer, "v1")

    assert pull.resolve(shelf, "v1") == newer.digest
    assert pull.fetch(shelf, parcel().digest, PINNED).files == FILES


def test_tags_are_listed_without_those_that_stand_for_referrers(
    shelf: Shelf, key: UserKey
) -> None:
    shelf.put(parcel(), "v2")
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), key))

    assert shelf.tags() == ["v1", "v2"]


def test_nothing_is_there_before_it_is_put(shelf: Shelf) -> None:
    assert shelf.tags() == []
    assert shelf.referrers(parcel().digest, SIGNATURE) == []
    with pytest.raises(NotPublished):
        shelf.manifest("v1")
    with pytest.raises(NotPublished):
        shelf.manifest(parcel().digest)
    with pytest.raises(NotPublished):
        list(shelf.blob(parcel().digest, 1))


def test_every_signature_is_found_once(shelf: Shelf, key: UserKey) -> None:
    other = UserKey.generate()
    shelf.put(parcel(), "v1")
    for each in (key, other, key):
        shelf.put(signed(parcel(), each))

    found = shelf.referrers(parcel().digest, SIGNATURE)

    assert set(found) == {signed(parcel(), each).digest for each in (key, other)}
    assert len(found) == 2


def test_without_a_signature_nothing_is_fetched(shelf: Shelf, key: UserKey) -> None:
    shelf.put(parcel(), "v1")

    with pytest.raises(Untrusted, match="check of its signature: it has none"):
        pull.fetch(shelf, "v1", trusting(key))


def test_a_stranger_cannot_sign(shelf: Shelf, key: UserKey) -> None:
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), UserKey.generate()))

    with pytest.raises(Untrusted, match="is not trusted"):
        pull.fetch(shelf, "v1", trusting(key))


def test_a_signature_for_another_repository_proves_nothing(shelf: Shelf, key: UserKey) -> None:
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), key, "other/nodes"))

    with pytest.raises(Untrusted, match="it is for the repository 'other/nodes'"):
        pull.fetch(shelf, "v1", trusting(key, repository=REPOSITORY))


def test_a_signature_of_another_bundle_proves_nothing(shelf: Shelf, key: UserKey) -> None:
    about_another = signed(parcel(ncl__more=b"1"), key)
    shelf.put(parcel(), "v1")
    # the same words, said to be about this bundle
    told = json.loads(about_another.manifest)
    told["subject"] = {**told["subject"], "digest": parcel().digest}
    moved = type(about_another)(
        manifest=json.dumps(told).encode(),
        blobs=about_another.blobs,
        artifact_type=SIGNATURE,
        subject=parcel().digest,
    )
    shelf.put(moved)

    with pytest.raises(Untrusted, match="it is about another manifest"):
        pull.fetch(shelf, "v1", trusting(key))


def test_one_good_signature_among_bad_ones_is_enough(shelf: Shelf, key: UserKey) -> None:
    shelf.put(parcel(), "v1")
    for each in [UserKey.generate() for _ in range(5)]:
        shelf.put(signed(parcel(), each))
    shelf.put(signed(parcel(), key))

    found = pull.fetch(shelf, "v1", trusting(key))

    assert found.signed is not None
    assert found.signed.signer == key.public


def test_what_was_fetched_can_be_kept_and_fetched_again(
    shelf: Shelf, key: UserKey, tmp_path: Path
) -> None:
    shelf.put(parcel(), "v1")
    shelf.put(signed(parcel(), key))
    cache = Layout(tmp_path / "cache")

    for each in pull.fetch(shelf, "v1", trusting(key)).parcels:
        cache.put(each)

    assert pull.fetch(cache, parcel().digest, trusting(key)).files == FILES


def test_a_manifest_that_lies_about_a_file_is_refused(shelf: Shelf) -> None:
    lying = altered(parcel(), annotations={"dev.stratum.content.sha256": "0" * 64})
    shelf.put(lying, "v1")

    with pytest.raises(Untrusted, match="check of its annotation"):
        pull.fetch(shelf, lying.digest, PINNED)
