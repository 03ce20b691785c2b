"""What a bad registry, or somebody between it and us, can try; nothing comes of it."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from platform_nats.nkey import UserKey
from stratum_graph.definitions.content import digest_of
from stratum_graph.definitions.distribution import bundle, pull
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.bundle import Parcel
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.distribution.signature import SIGNATURE
from stratum_graph.errors import (
    NotPublished,
    RegistryDenied,
    RegistryUnavailable,
    Untrusted,
)
from support.bundles import (
    FILES,
    PINNED,
    REPOSITORY,
    altered,
    first_digest,
    parcel,
    signed,
    trusting,
    with_manifest,
)
from support.hostile import Hostile, Reply, hostile


@pytest.fixture
def there() -> Iterator[Hostile]:
    with hostile() as registry:
        yield registry


@pytest.fixture
def key() -> UserKey:
    return UserKey.generate()


def shelf(there: Hostile, access: Access | None = None) -> Registry:
    patient = access or Access(answer_s=10, body_s=5)
    return Registry(Reference.parse(f"oci://{there.host}/{REPOSITORY}"), patient)


def refused(there: Hostile, wanted: str, check: str, trust: pull.Trust = PINNED) -> Untrusted:
    with pytest.raises(Untrusted) as refusal:
        pull.fetch(shelf(there), wanted, trust)
    assert refusal.value.check == check
    return refusal.value


def test_an_honest_one_is_believed(there: Hostile, key: UserKey) -> None:
    there.offer(parcel(), "v1")
    there.offer(signed(parcel(), key))

    assert pull.fetch(shelf(there), "v1", trusting(key)).files == FILES


def test_a_changed_blob(there: Hostile) -> None:
    there.offer(parcel())
    there.lie(f"blobs/{first_digest()}", body=b"X" * len(FILES[min(FILES)]))

    refused(there, parcel().digest, "layer digest")


def test_a_blob_cut_short(there: Hostile) -> None:
    there.offer(parcel())
    there.lie(f"blobs/{first_digest()}", body=b"")

    refused(there, parcel().digest, "layer size")


def test_a_blob_without_end(there: Hostile) -> None:
    there.offer(parcel())
    there.lie(f"blobs/{first_digest()}", is_endless=True)

    refused(there, parcel().digest, "layer size")


def test_a_changed_manifest_under_a_digest(there: Hostile) -> None:
    there.offer(parcel())
    there.lie(f"manifests/{parcel().digest}", body=parcel(ncl__x=b"1").manifest)

    refused(there, parcel().digest, "manifest digest")


def test_a_manifest_that_is_not_what_the_header_says(there: Hostile, key: UserKey) -> None:
    there.offer(parcel(), "v1")
    header = {"Docker-Content-Digest": f"sha256:{'0' * 64}"}
    there.lie("manifests/v1", body=parcel().manifest, headers=header)

    refused(there, "v1", "manifest digest", trusting(key))


def test_a_manifest_without_end(there: Hostile) -> None:
    there.lie(f"manifests/{parcel().digest}", is_endless=True)

    refused(there, parcel().digest, "manifest size")


def test_a_tag_moved_to_what_nobody_signed(there: Hostile, key: UserKey) -> None:
    there.offer(parcel())
    there.offer(signed(parcel(), key))
    there.offer(parcel(ncl__evil=b"1"), "v1")

    refused(there, "v1", "signature", trusting(key))


def test_a_signature_that_is_not_one(there: Hostile, key: UserKey) -> None:
    good = signed(parcel(), key)
    there.offer(parcel(), "v1")
    there.offer(resealed(good, parcel().digest, forged))

    assert "does not verify" in str(refused(there, "v1", "signature", trusting(key)))


def test_a_signature_in_the_name_of_another(there: Hostile, key: UserKey) -> None:
    by_a_stranger = signed(parcel(), UserKey.generate())
    there.offer(parcel(), "v1")
    there.offer(
        resealed(by_a_stranger, parcel().digest, lambda x: [{**x[0], "keyid": key.public}])
    )

    assert "does not verify" in str(refused(there, "v1", "signature", trusting(key)))


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b'{"payload": 1}', b"\xff"])
def test_a_signature_of_garbage(there: Hostile, key: UserKey, body: bytes) -> None:
    garbage = bundle.attachment(parcel(), SIGNATURE, body, {})
    there.offer(parcel(), "v1")
    there.offer(garbage)

    refused(there, "v1", "signature", trusting(key))


def forged(signatures: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**signatures[0], "sig": base64.b64encode(b"\0" * 64).decode()}]


def resealed(good: Parcel, about: str, change: object) -> Parcel:
    (sealed,) = (x for x in good.blobs.values() if x != bundle.EMPTY_CONTENT)
    told = json.loads(sealed)
    told["signatures"] = change(told["signatures"])  # type: ignore[operator]
    subject = bundle.Subject(about, len(parcel().manifest))
    return bundle.attachment(subject, SIGNATURE, json.dumps(told).encode(), {})


@pytest.mark.parametrize("size", [-1, 10**9, 10**30, 1.5, "3", True, None])
def test_a_size_that_cannot_be(there: Hostile, size: object) -> None:
    lying = altered(parcel(), size=size)
    there.offer(lying)

    with pytest.raises(Untrusted, match=r"layer size|manifest shape"):
        pull.fetch(shelf(there), lying.digest, PINNED)


def test_sizes_that_are_too_much_together(there: Hostile) -> None:
    manifest = json.loads(parcel().manifest)
    first = manifest["layers"][0]
    manifest["layers"] = [
        {**first, "size": 4 << 20, "annotations": {**first["annotations"], bundle.TITLE: name}}
        for name in (f"definitions/nodes/{number}.ncl" for number in range(17))
    ]
    lying = with_manifest(parcel(), json.dumps(manifest).encode())
    there.offer(lying)

    assert "in all" in str(refused(there, lying.digest, "layer size"))


@pytest.mark.parametrize(
    "title",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "definitions/../../x.ncl",
        "definitions//x.ncl",
        "definitions/nodes/.hidden.ncl",
        "definitions/nodes/-rf.ncl",
        "definitions/nodes/a\nb.ncl",
        "definitions/nodes/a b.ncl",
        "definitions/nodes/ä.ncl",
        "definitions/nodes/a\u0000.ncl",
        "definitions/nodes/node_modules/x.ncl",
        "definitions\\nodes\\x.ncl",
        "~/x.ncl",
        "elsewhere/x.ncl",
        f"definitions/{'a/' * 40}x.ncl",
        f"definitions/{'a' * 200}.ncl",
    ],
)
def test_a_title_that_is_no_path_below_its_part(there: Hostile, title: str) -> None:
    lying = altered(parcel(), annotations={bundle.TITLE: title})
    there.offer(lying)

    refused(there, lying.digest, "title")


@pytest.mark.parametrize(
    "title", ["ncl/stratum.ncl", "NCL/Stratum.ncl".replace("NCL", "ncl"), "ncl/stratum.ncl/x"]
)
def test_a_title_that_collides(there: Hostile, title: str) -> None:
    lying = altered(
        parcel(), annotations={bundle.TITLE: title}, mediaType=bundle.media_type(title)
    )
    there.offer(lying)

    refused(there, lying.digest, "title")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.stratum.nushell.v1",
        "application/octet-stream",
        "",
    ],
)
def test_a_media_type_that_does_not_fit(there: Hostile, media_type: str) -> None:
    lying = altered(parcel(), mediaType=media_type)
    there.offer(lying)

    refused(there, lying.digest, "media type")


@pytest.mark.parametrize("said", ["", "0" * 64, first_digest()])
def test_an_annotation_that_is_not_the_digest(there: Hostile, said: str) -> None:
    lying = altered(parcel(), annotations={bundle.CONTENT: said})
    there.offer(lying)

    refused(there, lying.digest, "annotation")


def test_a_digest_by_another_rule(there: Hostile) -> None:
    lying = altered(parcel(), digest=f"md5:{'0' * 32}")
    there.offer(lying)

    refused(there, lying.digest, "layer digest")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"artifactType": "application/vnd.other"}, "artifact type"),
        ({"mediaType": bundle.INDEX}, "manifest shape"),
        ({"schemaVersion": 1}, "manifest shape"),
        ({"layers": []}, "layer count"),
        ({"layers": {}}, "manifest shape"),
        ({"annotations": {}}, "annotation"),
        ({"annotations": {bundle.FOLDERS: "nodes absent"}}, "annotation"),
        ({"annotations": {bundle.FOLDERS: "nodes", bundle.PRINCIPALS: "x"}}, "annotation"),
    ],
)
def test_a_manifest_of_another_kind(
    there: Hostile, change: dict[str, object], check: str
) -> None:
    text = json.dumps(json.loads(parcel().manifest) | change).encode()
    lying = with_manifest(parcel(), text)
    there.offer(lying)

    refused(there, lying.digest, check)


@pytest.mark.parametrize("text", [b"", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000])
def test_a_manifest_of_garbage(there: Hostile, text: bytes) -> None:
    there.lie(f"manifests/{digest_of(text)}", body=text)

    refused(there, digest_of(text), "manifest shape")


def test_a_bundle_without_a_library(there: Hostile) -> None:
    files = {name: each for name, each in FILES.items() if not name.startswith("ncl/")}
    incomplete = bundle.build(files, {bundle.FOLDERS: "nodes"})
    there.offer(incomplete)

    refused(there, incomplete.digest, "title")


def test_an_answer_that_is_packed(there: Hostile) -> None:
    there.lie(f"manifests/{parcel().digest}", body=b"x", headers={"Content-Encoding": "gzip"})

    refused(there, parcel().digest, "content encoding")


def test_a_redirect_keeps_the_credentials_at_home(there: Hostile) -> None:
    access = Access(user="ann", password="open sesame", answer_s=10)  # noqa: S106
    there.offer(parcel())
    with hostile() as elsewhere:
        elsewhere.lie("/taken", body=FILES[min(FILES)])
        target = {"Location": f"http://{elsewhere.host}/taken"}
        there.lie(f"blobs/{first_digest()}", status=307, headers=target)
        challenge = {"WWW-Authenticate": 'Basic realm="here"'}
        asks = iter([401])
        honest = there.reply(f"/v2/{REPOSITORY}/manifests/{parcel().digest}")
        there.lies[f"manifests/{parcel().digest}"] = lambda: replace(
            honest, status=next(asks, 200), headers=challenge
        )

        found = pull.fetch(shelf(there, access), parcel().digest, PINNED)

    assert found.files == FILES
    assert [each.authorization for each in elsewhere.asked] == [""]
    assert any(each.authorization.startswith("Basic ") for each in there.asked)


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "", "gopher://x/", "http://[x/"]
)
def test_a_redirect_to_what_is_no_web_address(there: Hostile, target: str) -> None:
    there.offer(parcel())
    there.lie(f"blobs/{first_digest()}", status=302, headers={"Location": target})

    with pytest.raises((Untrusted, RegistryUnavailable)):
        pull.fetch(shelf(there), parcel().digest, PINNED)


def test_a_redirect_whose_body_has_no_end(there: Hostile) -> None:
    there.offer(parcel())
    there.lie("/taken", body=FILES[min(FILES)])
    target = {"Location": "/taken"}
    there.lie(f"blobs/{first_digest()}", status=307, headers=target, is_endless=True)

    assert pull.fetch(shelf(there), parcel().digest, PINNED).files == FILES


def test_redirects_without_end(there: Hostile) -> None:
    there.lie(
        f"manifests/{parcel().digest}",
        status=302,
        headers={"Location": f"/v2/{REPOSITORY}/manifests/{parcel().digest}"},
    )

    refused(there, parcel().digest, "redirect")
    assert len(there.asked) == 4


def test_an_upload_that_is_sent_elsewhere(there: Hostile) -> None:
    there.lie("uploads/", status=202, headers={"Location": "http://127.0.0.1:1/steal"})

    with pytest.raises(Untrusted, match="check of its redirect: uploads are sent"):
        shelf(there).put(parcel(), "v1")


def test_a_write_that_is_redirected(there: Hostile) -> None:
    there.lie("uploads/", status=307, headers={"Location": f"http://{there.host}/other"})

    with pytest.raises(Untrusted, match="check of its redirect: POST is sent"):
        shelf(there).put(parcel(), "v1")


def test_a_token_that_is_asked_for_in_clear_text(there: Hostile) -> None:
    there.lie(
        "manifests/v1",
        status=401,
        headers={"WWW-Authenticate": 'Bearer realm="ftp://example.com/token",service="x"'},
    )

    refused(there, "v1", "token realm", trusting(UserKey.generate()))


def test_a_silent_one_is_away_after_a_few_tries(there: Hostile) -> None:
    there.lie(f"manifests/{parcel().digest}", is_silent=True)

    with pytest.raises(RegistryUnavailable, match="4 tries"):
        pull.fetch(shelf(there, Access(answer_s=0.3)), parcel().digest, PINNED)


@pytest.mark.parametrize("drips", ["head", "body"])
def test_an_answer_that_drips_for_ever_is_cut(there: Hostile, drips: str) -> None:
    there.lie(f"manifests/{parcel().digest}", drips=drips)

    with pytest.raises(RegistryUnavailable, match=r"not answered within 0\.5 s"):
        pull.fetch(shelf(there, Access(whole_s=0.5)), parcel().digest, PINNED)


def test_one_that_fails_is_asked_again_and_then_away(there: Hostile) -> None:
    there.lie(f"manifests/{parcel().digest}", status=503)

    with pytest.raises(RegistryUnavailable, match="4 tries"):
        pull.fetch(shelf(there), parcel().digest, PINNED)
    assert len(there.asked) == 4


def test_one_that_fails_once_is_believed_the_second_time(there: Hostile) -> None:
    there.offer(parcel())
    states = iter([503, 429])
    honest = there.reply(f"/v2/{REPOSITORY}/manifests/{parcel().digest}")
    there.lies[f"manifests/{parcel().digest}"] = lambda: replace(
        honest, status=next(states, 200)
    )

    assert pull.fetch(shelf(there), parcel().digest, PINNED).files == FILES


def test_a_refusal_is_not_asked_for_again(there: Hostile) -> None:
    there.lie(f"manifests/{parcel().digest}", status=403)

    with pytest.raises(RegistryDenied):
        pull.fetch(shelf(there), parcel().digest, PINNED)
    assert len(there.asked) == 1


def test_nobody_there_is_away() -> None:
    nowhere = Registry(Reference.parse(f"oci://127.0.0.1:1/{REPOSITORY}"), Access())

    with pytest.raises(RegistryUnavailable, match=r"had now: Connection refused \(4 tries\)"):
        nowhere.manifest("v1")


def test_an_unknown_tag_is_said_to_be_unknown(there: Hostile) -> None:
    with pytest.raises(NotPublished):
        shelf(there).manifest("v1")


def guarded_by_tokens(there: Hostile, realm: str) -> None:
    """Ask for a bearer token wherever none is shown."""
    manifest = f"manifests/{parcel().digest}"
    honest = there.reply(f"/v2/{REPOSITORY}/{manifest}")
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x",scope="pull"'}

    def answer() -> Reply:
        known = there.asked[-1].authorization == "Bearer abc"
        return honest if known else Reply(status=401, headers=challenge)

    there.lies[manifest] = answer


def test_a_token_is_fetched_with_the_password_and_shown_without_it(there: Hostile) -> None:
    there.offer(parcel())
    guarded_by_tokens(there, f"http://{there.host}/token")
    there.lie("scope=pull", body=b'{"token": "abc"}')
    access = Access(user="ann", password="open sesame", answer_s=10)  # noqa: S106

    assert pull.fetch(shelf(there, access), parcel().digest, PINNED).files == FILES
    shown = {each.path.partition("?")[0]: each.authorization for each in there.asked}
    assert shown["/token"].startswith("Basic ")
    assert shown[f"/v2/{REPOSITORY}/manifests/{parcel().digest}"] == "Bearer abc"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX: y"}', b"x" * 100_000]
)
def test_a_token_that_is_none(there: Hostile, body: bytes) -> None:
    there.offer(parcel())
    guarded_by_tokens(there, f"http://{there.host}/token")
    there.lie("scope=pull", body=body)

    with pytest.raises(RegistryDenied):
        pull.fetch(shelf(there), parcel().digest, PINNED)
