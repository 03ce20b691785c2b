"""A real registry: with passwords, tokens and certificates, and beside other people's tools."""

import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from oras.layout import NewLayout
from oras.provider import Registry as Oras

from platform_nats.nkey import UserKey
from stratum_graph.definitions.content import ContentStore, digest_of
from stratum_graph.definitions.descriptor import Descriptor, Source
from stratum_graph.definitions.distribution import pull
from stratum_graph.definitions.distribution.access import Access
from stratum_graph.definitions.distribution.layout import Layout
from stratum_graph.definitions.distribution.oci import Registry
from stratum_graph.definitions.distribution.reference import Reference
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.remote.places import Places
from stratum_graph.errors import RegistryDenied, RegistryUnavailable, Untrusted
from support import registry
from support.bundles import FILES, PINNED, accounted, attested, parcel, signed, trusting
from support.certificate import certify

# bcrypt of "open sesame"
_HASH = "$2b$05$zxo526HH3o3mzSoKDgkV7O4AGs6BlOhKYT6JtR6rOXKdruDSz1qim"
PASSWORD = "open sesame"  # noqa: S105
SKOPEO = shutil.which("skopeo")

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(registry.PROGRAM is None, reason=registry.MISSING),
]
needs_skopeo = pytest.mark.skipif(
    SKOPEO is None, reason="skopeo is not installed (apt-get install skopeo)"
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    with registry.serving(tmp_path) as host:
        yield host


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "users").write_text(f"ann:{_HASH}\n")
    auth = {"htpasswd": {"realm": "here", "path": str(tmp_path / "users")}}
    with registry.serving(tmp_path, auth=auth) as host:
        yield host


def repository(host: str, access: Access | None = None) -> Registry:
    return Registry(Reference.parse(f"oci://{host}/team/nodes"), access or Access())


def test_a_password_opens_a_guarded_registry(guarded: str) -> None:
    there = repository(guarded, Access(user="ann", password=PASSWORD))
    there.put(parcel(), "v1")

    assert pull.fetch(there, parcel().digest, PINNED).files == FILES


@pytest.mark.parametrize(
    "access",
    [Access(), Access(user="ann", password="guess"), Access(user="bob")],  # noqa: S106
)
def test_without_the_password_it_stays_shut(guarded: str, access: Access) -> None:
    with pytest.raises(RegistryDenied):
        repository(guarded, access).manifest("v1")


def test_certificates_are_checked(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certify(certificate, key)
    tls = {"tls": {"certificate": str(certificate), "key": str(key)}}
    with registry.serving(tmp_path, http=tls) as host:
        name = host.replace("127.0.0.1", "localhost")
        known = repository(name, Access(ca=str(certificate)))
        known.put(parcel(), "v1")
        other = tmp_path / "other.pem"
        certify(other, tmp_path / "other-key.pem")

        assert pull.fetch(known, parcel().digest, PINNED).files == FILES
        with pytest.raises(RegistryUnavailable, match="TLS"):
            repository(name, Access(ca=str(other))).manifest("v1")


def test_what_was_altered_on_its_disk_is_refused(host: str, tmp_path: Path) -> None:
    repository(host).put(parcel(), "v1")
    for file in (tmp_path / "data").rglob("data"):
        if file.read_bytes() == FILES[min(FILES)]:
            file.write_bytes(b"X" * len(FILES[min(FILES)]))

    with pytest.raises(Exception, match="check of its layer digest"):
        pull.fetch(repository(host), parcel().digest, PINNED)


@needs_skopeo
def test_skopeo_carries_what_we_wrote_into_a_directory(host: str, tmp_path: Path) -> None:
    key = UserKey.generate()
    repository(host).put(parcel(), "v1")
    repository(host).put(signed(parcel(), key))

    _skopeo("copy", f"docker://{host}/team/nodes:v1", f"oci:{tmp_path / 'lay'}:v1")

    there = Layout(tmp_path / "lay")
    assert there.tags() == ["v1"]
    assert pull.resolve(there, "v1") == parcel().digest
    assert pull.fetch(there, parcel().digest, PINNED).files == FILES


@needs_skopeo
def test_skopeo_carries_our_directory_into_a_registry(host: str, tmp_path: Path) -> None:
    Layout(tmp_path / "lay").put(parcel(), "v1")

    _skopeo("copy", f"oci:{tmp_path / 'lay'}:v1", f"docker://{host}/team/nodes:v2")

    assert pull.resolve(repository(host), "v2") == parcel().digest
    assert pull.fetch(repository(host), parcel().digest, PINNED).files == FILES


def test_oras_reads_what_we_wrote_and_we_read_what_it_wrote(host: str, tmp_path: Path) -> None:
    ours = Layout(tmp_path / "ours")
    ours.put(parcel(), "v1")
    client = Oras(hostname=host, insecure=True)

    lay = NewLayout(str(tmp_path / "ours"))
    lay.validate()
    lay.push_to_registry(client, f"{host}/team/nodes:v3", "v1")

    assert pull.resolve(repository(host), "v3") == parcel().digest
    assert client.get_manifest(f"{host}/team/nodes:v3")["artifactType"]
    key = UserKey.generate()
    repository(host).put(signed(parcel(), key))
    assert pull.fetch(repository(host), "v3", trusting(key)).files == FILES


@needs_skopeo
def test_a_signature_travels_along_when_skopeo_copies_its_tag(host: str) -> None:
    key = UserKey.generate()
    repository(host).put(parcel(), "v1")
    repository(host).put(signed(parcel(), key))
    there = Registry(Reference.parse(f"oci://{host}/mirror/nodes"), Access())

    for tag in ("v1", parcel().digest.replace(":", "-")):
        source, target = f"docker://{host}/team/nodes:{tag}", f"docker://{host}/mirror/nodes"
        _skopeo("copy", "--all", source, f"{target}:{tag}")

    assert pull.fetch(there, "v1", trusting(key, repository="team/nodes")).files == FILES
    with pytest.raises(Untrusted, match="it is for the repository 'team/nodes'"):
        pull.fetch(there, "v1", trusting(key, repository="mirror/nodes"))


@needs_skopeo
def test_a_signature_travels_along_into_a_directory(host: str, tmp_path: Path) -> None:
    key = UserKey.generate()
    for each in (parcel(), signed(parcel(), key), attested(parcel(), key)):
        repository(host).put(each, "" if each.subject else "v1")

    for tag in ("v1", parcel().digest.replace(":", "-")):
        source = f"docker://{host}/team/nodes:{tag}"
        _skopeo("copy", "--all", source, f"oci:{tmp_path / 'lay'}:{tag}")

    found = pull.fetch(Layout(tmp_path / "lay"), "v1", accounted(trusting(key)))
    assert (found.files, len(found.proofs)) == (FILES, 2)


async def test_a_script_that_oras_pushed_is_had_by_tag_and_digest(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = b"def main [] { }\n"
    (tmp_path / "greet.nu").write_bytes(script)
    monkeypatch.chdir(tmp_path)
    Oras(hostname=host, insecure=True).push(f"{host}/lib/greet:v1", files=["greet.nu"])
    digest = Registry(Reference.parse(f"oci://{host}/lib/greet"), Access()).manifest("v1")
    places = Places(hosts=frozenset([host]))

    for end in (":v1", f"@{digest_of(digest)}"):
        wanted = Descriptor(
            uri=f"oci://{host}/lib/greet{end}",
            source=Source(type="oci"),
            sha256=sha256(script).hexdigest(),
        )
        found = await Fetcher(places, ContentStore(tmp_path / end[1:3])).fetch([wanted])
        assert found == {wanted: script}


def _skopeo(*arguments: str) -> None:
    assert SKOPEO
    subprocess.run(
        [
            *(SKOPEO, "--insecure-policy", arguments[0]),
            *("--src-tls-verify=false", "--dest-tls-verify=false", *arguments[1:]),
        ],
        check=True,
        timeout=60,
    )
