"""What a bundle's provenance has to say, and who has to say it; a bad registry may try."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.distribution import bundle, pull
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.provenance import MAX_ENVELOPE, PROVENANCE
from stratum_graph.definitions.distribution.pull import Trust, Verified
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.errors import Untrusted
from support.bundles import (
    CREATED,
    FILES,
    PINNED,
    REPOSITORY,
    accounted,
    attested,
    parcel,
    sealed_in,
    signed,
    trusting,
)
from support.hostile import Hostile, hostile

KEY = UserKey.generate()
Told = dict[str, Any]


@pytest.fixture
def there() -> Iterator[Hostile]:
    """A registry with a signed bundle, of which nobody says how it was made."""
    with hostile() as registry:
        registry.offer(parcel(), "v1")
        registry.offer(signed(parcel(), KEY))
        yield registry


def fetched(there: Hostile, trust: Trust) -> Verified:
    reference = Reference.parse(f"oci://{there.host}/{REPOSITORY}")
    return pull.fetch(
        Registry(reference, Access(answer_s=10, body_s=5)), parcel().digest, trust
    )


def refused(there: Hostile) -> str:
    """Why nothing was fetched of what has to have provenance."""
    with pytest.raises(Untrusted) as refusal:
        fetched(there, accounted(trusting(KEY)))
    assert refusal.value.check == "provenance"
    assert not any("/blobs/" in each.path and _is_file(each.path) for each in there.asked)
    return refusal.value.why


def _is_file(path: str) -> bool:
    manifest = json.loads(parcel().manifest)
    return any(path.endswith(each["digest"]) for each in manifest["layers"])


def test_an_honest_account_is_believed_and_kept(there: Hostile) -> None:
    there.offer(attested(parcel(), KEY))

    found = fetched(there, accounted(trusting(KEY)))

    assert found.files == FILES
    assert found.account is not None
    assert found.account._asdict() == {
        "maker": KEY.public,
        "builder": "stratum 1",
        "created": CREATED,
        "checks": {"compile": "passed"},
    }
    assert len(found.parcels) == 3


def test_none_at_all(there: Hostile) -> None:
    assert refused(there) == "it has none"


def test_one_by_a_stranger(there: Hostile) -> None:
    there.offer(attested(parcel(), UserKey.generate()))

    assert "is not trusted" in refused(there)


def test_one_that_was_altered_after_it_was_signed(there: Hostile) -> None:
    told = json.loads(sealed_in(attested(parcel(), KEY)))
    words = base64.b64decode(told["payload"]).replace(b"passed", b"Passed")
    told["payload"] = base64.b64encode(words).decode()
    there.offer(bundle.attachment(parcel(), PROVENANCE, json.dumps(told).encode(), {}))

    assert "does not verify" in refused(there)


def test_one_of_another_bundle(there: Hostile) -> None:
    there.offer(moved(attested(parcel(ncl__more=b"1"), KEY)))

    assert "about another manifest" in refused(there)


def test_a_signature_in_its_place(there: Hostile) -> None:
    there.offer(moved(signed(parcel(), KEY)))

    assert "it is about 'application/vnd.stratum.signature.v1+json'" in refused(there)


def moved(proof: Parcel) -> Parcel:
    """The same words, said to be the provenance of our bundle."""
    return bundle.attachment(parcel(), PROVENANCE, sealed_in(proof), {})


def test_one_for_another_repository(there: Hostile) -> None:
    there.offer(attested(parcel(), KEY, repository="other/nodes"))

    assert "it is for the repository 'other/nodes'" in refused(there)


def definition(told: Told) -> Told:
    found: Told = told["predicate"]["buildDefinition"]
    return found


def files(told: Told) -> list[Told]:
    found: list[Told] = definition(told)["resolvedDependencies"]
    return found


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda x: files(x).pop(), "does not name the file principals/principals.ncl"),
        (
            lambda x: files(x).append({"name": "ncl/evil", "digest": {"sha256": "0" * 64}}),
            "names the file 'ncl/evil', which is not there",
        ),
        (lambda x: files(x).append(files(x)[0]), "names a file twice"),
        (
            lambda x: files(x)[0]["digest"].update(sha256="0" * 64),
            "other content of the file definitions/nodes/crate/lint/node.ncl",
        ),
        (
            lambda x: definition(x)["externalParameters"].update(folders=["x"]),
            "other folders",
        ),
        (
            lambda x: definition(x)["internalParameters"].update(generation="x"),
            "another generation",
        ),
        (lambda x: definition(x).update(buildType="urn:x"), "no provenance of ours"),
        (lambda x: x.update(predicateType="urn:x"), "no provenance of ours"),
        (lambda x: x.update(_type="urn:x"), "no provenance of ours"),
        (lambda x: x["subject"].append(x["subject"][0]), "about another manifest"),
        (lambda x: x["subject"].clear(), "about another manifest"),
        (
            lambda x: x["predicate"]["runDetails"]["builder"].update(id="urn:x"),
            "names the maker 'urn:x', and U",
        ),
        (lambda x: x.pop("predicate"), "cannot be read"),
    ],
)
def test_one_that_tells_something_else(
    there: Hostile, change: Callable[[Told], object], why: str
) -> None:
    there.offer(attested(parcel(), KEY, change))

    assert why in refused(there)


@pytest.mark.parametrize("body", [b"x", b"{ }", b"[" * 100_000, b"\xff", b" " * 100])
def test_one_of_garbage(there: Hostile, body: bytes) -> None:
    there.offer(bundle.attachment(parcel(), PROVENANCE, body, {}))

    assert "the envelope cannot be read" in refused(there)


def test_one_that_is_enormous(there: Hostile) -> None:
    there.offer(bundle.attachment(parcel(), PROVENANCE, b" " * (MAX_ENVELOPE + 1), {}))

    assert f"more than {MAX_ENVELOPE} bytes" in refused(there)


def test_a_good_one_among_bad_ones_is_enough(there: Hostile) -> None:
    for each in (attested(parcel(), UserKey.generate()), attested(parcel(), KEY, dict.clear)):
        there.offer(each)
    there.offer(attested(parcel(), KEY))

    assert fetched(there, accounted(trusting(KEY))).account is not None


def test_where_nobody_asks_for_it_a_bad_one_is_only_told_of(there: Hostile) -> None:
    there.offer(attested(parcel(), UserKey.generate()))

    found = fetched(there, trusting(KEY))

    assert (found.files, found.account) == (FILES, None)
    assert "is not trusted" in found.unaccounted


def test_a_digest_that_somebody_named_is_not_enough_where_it_is_asked_for(
    there: Hostile,
) -> None:
    trust = Trust(
        policy="digest",
        repository=REPOSITORY,
        keys=trusting(KEY).keys,
        provenance="required",
    )

    with pytest.raises(Untrusted, match="check of its provenance: it has none"):
        fetched(there, trust)
    assert fetched(there, PINNED).files == FILES
