"""Scripts from elsewhere: had once, verified, from where they may be had, and in time."""

import json
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import anyio
import pytest

from stratum_graph.definitions.content import ContentStore
from stratum_graph.definitions.descriptor import Descriptor, Fetched, Source
from stratum_graph.definitions.distribution import bundle
from stratum_graph.definitions.remote.fetcher import Fetcher
from stratum_graph.definitions.remote.places import Credential, Places
from stratum_graph.definitions.web.reach import Reach
from support.certificate import certify
from support.hostile import Hostile, Reply, hostile
from support.objects import is_signed
from support.wait import until

SCRIPT = b'def main [] { "{}" }\n'
DIGEST = sha256(SCRIPT).hexdigest()
SECRET = "open-sesame-1"  # noqa: S105
QUICK = 0.3
LATER = "9999-01-01T00:00:00Z"


@pytest.fixture
def there() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


class Desk:
    """Asks for scripts as a load of definitions does."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.places = Places(hosts=frozenset([host]))
        self.content = ContentStore(folder / "content")

    def trust(self, name: str, host: str, user: str = "", secret: str = SECRET) -> None:
        """Show a secret to a host."""
        file = self.folder / f"{name}.secret"
        file.write_text(f"{secret}\n")
        found = Credential(name=name, hosts=(host,), user=user, secret_file=file)
        given = (*self.places.credentials, found)
        self.places = replace(self.places, credentials=given)

    async def all(self, *wanted: Descriptor, reach: Reach | None = None) -> Fetched:
        return await Fetcher(self.places, self.content, reach).fetch(wanted)

    async def one(self, wanted: Descriptor, reach: Reach | None = None) -> bytes:
        found = (await self.all(wanted, reach=reach))[wanted]
        assert isinstance(found, bytes), found
        return found

    async def why(self, wanted: Descriptor, reach: Reach | None = None) -> str:
        """What its author is told: why, and the remedy."""
        found = (await self.all(wanted, reach=reach))[wanted]
        assert not isinstance(found, bytes)
        assert SECRET not in str(found)
        return " / ".join(found)


@pytest.fixture
def desk(tmp_path: Path, there: Hostile) -> Desk:
    return Desk(tmp_path, there.host)


def web(host: str, path: str = "/a.nu", **source: object) -> Descriptor:
    return described(f"http://{host}{path}", type="http", **source)


def described(uri: str, **source: object) -> Descriptor:
    given = Source(**{"timeout": 5.0, **source})  # type: ignore[arg-type]
    return Descriptor(uri=uri, sha256=DIGEST, source=given)


async def test_it_is_fetched_once_and_then_kept(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu?raw=1", body=SCRIPT)
    wanted = web(there.host, "/a.nu?raw=1")

    first, second = await desk.one(wanted), await desk.one(wanted)

    assert first == second == SCRIPT
    assert len(there.asked) == 1
    assert desk.content.get(f"sha256:{DIGEST}") == SCRIPT


async def test_what_is_kept_serves_while_its_source_is_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "127.0.0.1")
    desk.content.put(SCRIPT)

    assert await desk.one(web("127.0.0.1:1")) == SCRIPT


async def test_what_was_damaged_on_disk_is_fetched_again(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu", body=SCRIPT)
    await desk.one(web(there.host))
    blob = desk.content.blobs / DIGEST
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    desk.content = ContentStore(desk.folder / "content")

    assert await desk.one(web(there.host)) == SCRIPT
    assert desk.content.get(f"sha256:{DIGEST}") == SCRIPT


async def test_other_bytes_are_handed_on_for_judgment_and_not_kept(
    there: Hostile, desk: Desk
) -> None:
    there.lie("/a.nu", body=b"other")

    assert await desk.one(web(there.host)) == b"other"
    assert list(desk.content.blobs.iterdir()) == []


async def test_an_object_is_asked_for_with_a_signature_that_others_verify(
    there: Hostile, desk: Desk
) -> None:
    desk.trust("store", there.host, user="AKID")
    there.lies["/lib/b/a%20%C3%BC%2B~.nu"] = lambda: (
        Reply(body=SCRIPT)
        if is_signed(there.asked[-1], {"AKID": SECRET}, "eu-west-1")
        else Reply(status=403)
    )
    place = f"http://{there.host}/"
    wanted = described(
        "s3://lib/b/a ü+~.nu", type="s3", auth="store", endpoint=place, region="eu-west-1"
    )

    assert await desk.one(wanted) == SCRIPT
    asked = there.asked[0]
    assert not is_signed(replace(asked, path="/lib/other.nu"), {"AKID": SECRET}, "eu-west-1")
    assert not is_signed(asked, {"AKID": "other"}, "eu-west-1")


def lent(**more: str) -> str:
    """What lends a key for a while writes into a file."""
    words = {"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": SECRET, **more}
    return json.dumps(words, indent=2)


OBJECT = {"type": "s3", "auth": "store"}


async def test_a_key_that_was_lent_is_shown_with_its_session(
    there: Hostile, desk: Desk
) -> None:
    desk.trust("store", there.host, secret=lent(SessionToken="t0ken", Expiration=LATER))
    there.lies["/lib/a.nu"] = lambda: (
        Reply(body=SCRIPT)
        if is_signed(there.asked[-1], {"ASIA": SECRET}, "us-east-1")
        else Reply(status=403)
    )
    wanted = described("s3://lib/a.nu", endpoint=f"http://{there.host}", **OBJECT)

    assert await desk.one(wanted) == SCRIPT
    asked = there.asked[0]
    assert asked.headers["x-amz-security-token"] == "t0ken"
    other = {**asked.headers, "x-amz-security-token": "other"}
    assert not is_signed(replace(asked, headers=other), {"ASIA": SECRET}, "us-east-1")


async def test_a_session_goes_to_no_other_host(there: Hostile, desk: Desk) -> None:
    desk.trust("store", there.host, secret=lent(SessionToken="t0ken"))
    with hostile() as elsewhere:
        elsewhere.lie("/a.nu", body=SCRIPT)
        desk.places = replace(desk.places, hosts=frozenset([there.host, elsewhere.host]))
        there.lie(
            "/lib/a.nu", status=307, headers={"Location": f"http://{elsewhere.host}/a.nu"}
        )
        wanted = described("s3://lib/a.nu", endpoint=f"http://{there.host}", **OBJECT)

        assert await desk.one(wanted) == SCRIPT
        assert not {"x-amz-security-token", "authorization"} & elsewhere.asked[0].headers.keys()


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (lent(Expiration="2026-01-01T00:00:00Z"), "was lent until 2026-01-01T00:00:00+00:00"),
        (lent(Expiration="2026-01-01T00:00:00"), "was lent until 2026-01-01T00:00:00"),
        (lent(SessionToken="a\r\nx: y"), "is no access key"),
        (lent(AccessKeyId=""), "is no access key"),
        ('{"AccessKeyId": "ASIA"}', "is no access key"),
        ("{" * 10_000, "is no access key"),
        (SECRET, "does not say which access key it is"),
    ],
)
async def test_a_key_that_is_none_is_not_shown(
    there: Hostile, desk: Desk, secret: str, said: str
) -> None:
    desk.trust("store", there.host, secret=secret)
    wanted = described("s3://lib/a.nu", endpoint=f"http://{there.host}", **OBJECT)

    assert said in await desk.why(wanted)
    assert there.asked == []


async def test_a_wrong_key_does_not_open_a_store(there: Hostile, desk: Desk) -> None:
    desk.trust("store", there.host, user="AKID", secret="guess")  # noqa: S106
    there.lies["/lib/a.nu"] = lambda: (
        Reply(body=SCRIPT)
        if is_signed(there.asked[-1], {"AKID": SECRET}, "us-east-1")
        else Reply(status=403)
    )
    place = f"http://{there.host}"

    why = await desk.why(described("s3://lib/a.nu", type="s3", auth="store", endpoint=place))

    assert "does not let us have it (403" in why
    assert "`source.auth`" in why


async def test_an_object_of_google_is_asked_for_with_a_token(
    there: Hostile, desk: Desk
) -> None:
    desk.trust("store", there.host)
    there.lie("/storage/v1/b/lib/o/b%2Fa.nu?alt=media", body=SCRIPT)
    place = f"http://{there.host}"

    wanted = described("gs://lib/b/a.nu", type="gcs", auth="store", endpoint=place)

    assert await desk.one(wanted) == SCRIPT
    assert there.asked[0].authorization == f"Bearer {SECRET}"


def artifact(content: bytes) -> bundle.Parcel:
    files = {"scripts/other.nu": b"# other", "scripts/a.nu": content}
    return bundle.build(files, {})


async def test_a_file_of_an_artifact_is_found_by_its_digest(there: Hostile, desk: Desk) -> None:
    there.offer(artifact(SCRIPT), "v1")

    assert await desk.one(described(f"oci://{there.host}/lib/a:v1", type="oci")) == SCRIPT


async def test_an_artifact_that_lacks_it_says_what_it_holds(there: Hostile, desk: Desk) -> None:
    there.offer(artifact(b"# newer"), "v1")

    why = await desk.why(described(f"oci://{there.host}/lib/a:v1", type="oci"))

    assert f"holds no file with the sha256 {DIGEST[:12]}" in why
    assert "scripts/a.nu" in why


async def test_an_artifact_whose_bytes_are_others_is_refused(
    there: Hostile, desk: Desk
) -> None:
    there.offer(artifact(SCRIPT), "v1")
    there.lie(f"blobs/sha256:{DIGEST}", body=SCRIPT.upper())

    why = await desk.why(described(f"oci://{there.host}/lib/a:v1", type="oci"))

    assert "check of its layer digest" in why


@pytest.mark.parametrize("kind", ["http", "s3", "gcs", "oci"])
async def test_this_machine_is_not_asked_unless_it_is_listed(
    there: Hostile, desk: Desk, kind: str
) -> None:
    place = f"http://{there.host}"
    uris = {"http": f"{place}/a.nu", "s3": "s3://lib/a.nu", "gcs": "gs://lib/a.nu"}
    uri = uris.get(kind, f"oci://{there.host}/lib/a:v1")
    endpoint = place if kind in {"s3", "gcs"} else ""
    desk.places = Places()

    why = await desk.why(described(uri, type=kind, endpoint=endpoint))

    assert "127.0.0.1 is this machine / if it may be, list the host in scripts.hosts" in why
    assert there.asked == []


async def test_a_name_is_looked_up_once_and_that_address_is_asked(
    there: Hostile, desk: Desk
) -> None:
    there.lie("/a.nu", body=SCRIPT)
    port = there.host.partition(":")[2]
    lookups: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["169.254.169.254"]

    reach = Reach(frozenset(["store.invalid"]), resolve)

    assert await desk.one(web(f"store.invalid:{port}"), reach) == SCRIPT
    assert lookups == ["store.invalid"]
    assert there.asked[0].headers["host"] == f"store.invalid:{port}"


async def test_a_name_that_moves_home_between_two_tries_is_not_followed(
    there: Hostile, desk: Desk
) -> None:
    there.lie("/a.nu", status=503, headers={"Connection": "close"})
    port = there.host.partition(":")[2]
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    reach = Reach(frozenset(["store.invalid"]), lambda _host, _port: next(answers))

    why = await desk.why(web(f"store.invalid:{port}"), reach)

    assert "a link-local or metadata address at 169.254.169.254" in why
    assert len(there.asked) == 1


async def test_a_redirect_leads_only_where_it_could_be_asked_at_once(
    there: Hostile, desk: Desk
) -> None:
    with hostile() as inner:
        there.lie("/a.nu", status=302, headers={"Location": f"http://{inner.host}/metadata"})

        why = await desk.why(web(there.host))

    assert "127.0.0.1 is this machine" in why
    assert inner.asked == []


async def test_a_redirect_keeps_the_credentials_at_home(there: Hostile, desk: Desk) -> None:
    desk.trust("docs", there.host, user="ann")
    with hostile() as elsewhere:
        hosts = frozenset([there.host, elsewhere.host])
        desk.places = replace(desk.places, hosts=hosts)
        there.lie("/a.nu", status=307, headers={"Location": f"http://{elsewhere.host}/b.nu"})
        elsewhere.lie("/b.nu", body=SCRIPT)

        found = await desk.one(web(there.host, auth="docs"))

    assert found == SCRIPT
    assert there.asked[0].authorization.startswith("Basic ")
    assert [each.authorization for each in elsewhere.asked] == [""]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://x/", "gopher://x/", "", "http://[x/"]
)
async def test_a_redirect_to_what_is_no_web_address(
    there: Hostile, desk: Desk, location: str
) -> None:
    there.lie("/a.nu", status=302, headers={"Location": location})

    assert "which is not followed" in await desk.why(web(there.host))


async def test_redirects_without_end(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu", status=302, headers={"Location": "/a.nu"})

    assert "redirected more than 3 times" in await desk.why(web(there.host))
    assert len(there.asked) == 4


async def test_a_body_without_end_is_cut(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu", is_endless=True)

    assert len(await desk.one(web(there.host))) == (1 << 20) + 1


@pytest.mark.parametrize(
    "lie", [{"drips": "head"}, {"drips": "body"}, {"is_silent": True}], ids=str
)
async def test_an_answer_that_takes_too_long_is_cut(
    there: Hostile, desk: Desk, lie: dict[str, object]
) -> None:
    there.lie("/a.nu", **lie)

    why = await desk.why(web(there.host, timeout=QUICK))

    assert f"{there.host} does not answer: not within 0.3 s" in why


async def test_what_nobody_waits_for_any_more_hangs_up(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu", is_silent=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.all, web(there.host, timeout=60.0))
        await until(lambda: bool(there.asked))
        tasks.cancel_scope.cancel()

    await until(lambda: there.given_up == 1)


async def test_a_packed_answer_is_refused(there: Hostile, desk: Desk) -> None:
    there.lie("/a.nu", body=b"x", headers={"Content-Encoding": "gzip"})

    assert "the answer is packed" in await desk.why(web(there.host))


async def test_one_that_fails_once_is_asked_again(there: Hostile, desk: Desk) -> None:
    states = iter([503])
    there.lies["/a.nu"] = lambda: Reply(body=SCRIPT, status=next(states, 200))

    assert await desk.one(web(there.host)) == SCRIPT


async def test_one_that_is_away_is_not_waited_for_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "127.0.0.1")
    wanted = [web("127.0.0.1:1", f"/{number}.nu", timeout=QUICK) for number in range(20)]

    found = await desk.all(*wanted)

    assert len({str(each) for each in found.values()}) == 1
    assert "127.0.0.1:1 does not answer" in str(found[wanted[0]])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "does not let us have it (403 Forbidden) / see `source.auth`"),
        (404, "does not have it (404 Not Found) / put it there, or correct `uri`"),
        (418, "answers 418"),
        (206, "answers 206"),
    ],
)
async def test_an_answer_that_is_no_script(
    there: Hostile, desk: Desk, status: int, said: str
) -> None:
    there.lie("/a.nu", status=status)

    assert said in await desk.why(web(there.host))
    assert len(there.asked) == 1


async def test_a_credential_is_shown_to_its_own_hosts_only(there: Hostile, desk: Desk) -> None:
    desk.trust("docs", "docs.example.com")

    why = await desk.why(web(there.host, auth="docs"))

    assert f"the credential `docs` is not for {there.host} / add the host" in why
    assert there.asked == []


async def test_a_credential_is_not_shown_in_clear_text(desk: Desk) -> None:
    desk.trust("docs", "docs.example.com")

    why = await desk.why(web("docs.example.com", auth="docs"))

    assert "would go to docs.example.com in clear text / use https" in why


async def test_a_credential_that_is_not_there(there: Hostile, desk: Desk) -> None:
    desk.trust("docs", there.host)
    file = desk.folder / "docs.secret"

    file.unlink()
    gone = await desk.why(web(there.host, auth="docs"))
    os.mkfifo(file)
    endless = await desk.why(web(there.host, auth="docs"))

    assert "`docs` cannot be read: No such file" in gone
    assert "`docs` cannot be read: it is no plain file" in endless
    assert "names `dogs`, which is no credential / add it to scripts.credentials" in (
        await desk.why(web(there.host, auth="dogs"))
    )


@pytest.mark.parametrize(
    ("uri", "kind", "said"),
    [
        ("ftp://example.com/a.nu", "http", "`uri` is no web address"),
        ("file:///etc/passwd", "http", "`uri` is no web address"),
        ("https:///a.nu", "http", "`uri` is no web address"),
        ("https://example.com:x/a.nu", "http", "`uri` is no web address"),
        ("https://example.com/a b", "http", "`uri` is no web address"),
        ("https://example.com\\@evil.example/a", "http", "`uri` is no web address"),
        ("https://ann:pass@example.com/a.nu", "http", "holds a user or a password"),
        ("https://example.com/a.nu#L1", "http", "has a `#`"),
        ("https://example.com/a.nu", "s3", "write `s3://BUCKET/PATH`"),
        ("s3://lib", "s3", "write `s3://BUCKET/PATH`"),
        ("s3://lib/../x", "s3", "write `s3://BUCKET/PATH`"),
        ("s3://Lib@x/a.nu", "s3", "write `s3://BUCKET/PATH`"),
        ("gs://lib/", "gcs", "write `gs://BUCKET/PATH`"),
        ("https://example.com/a.nu", "oci", "write `oci://REGISTRY/REPOSITORY:TAG`"),
        ("oci-layout:x:v1", "oci", "write `oci://REGISTRY/REPOSITORY:TAG`"),
    ],
)
async def test_an_address_that_means_nothing(
    desk: Desk, uri: str, kind: str, said: str
) -> None:
    assert said in await desk.why(described(uri, type=kind))


async def test_a_closed_place_fetches_nothing(there: Hostile, desk: Desk) -> None:
    desk.places = replace(desk.places, is_closed=True)

    assert "nothing is fetched for a bundle" in await desk.why(web(there.host))
    assert there.asked == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For `localhost`, with its key beside it."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    certify(file, file.with_suffix(".key"))
    return file


@pytest.fixture
def safe(certificate: Path) -> Iterator[Hostile]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with hostile(context) as server:
        yield server


def at(name: str, server: Hostile) -> tuple[Descriptor, Reach]:
    """The server's script under a name that nobody but the reach knows."""
    port = server.host.partition(":")[2]
    reach = Reach(frozenset([name]), lambda _host, _port: ["127.0.0.1"])
    return described(f"https://{name}:{port}/a.nu", type="http"), reach


async def test_over_tls_the_name_counts_though_the_address_is_given(
    safe: Hostile, desk: Desk, certificate: Path
) -> None:
    safe.lie("/a.nu", body=SCRIPT)
    desk.places = replace(desk.places, ca=str(certificate))
    known, reach = at("localhost", safe)
    other, elsewhere = at("other.invalid", safe)

    assert "has no certificate that is believed" in await desk.why(other, elsewhere)
    assert await desk.one(known, reach) == SCRIPT
    assert len(safe.asked) == 1


async def test_a_certificate_of_nobody_is_not_believed(safe: Hostile, desk: Desk) -> None:
    wanted, reach = at("localhost", safe)

    assert "has no certificate that is believed / see scripts.ca_file" in (
        await desk.why(wanted, reach)
    )
    assert safe.asked == []


async def test_a_redirect_never_leads_from_https_to_http(
    safe: Hostile, there: Hostile, desk: Desk, certificate: Path
) -> None:
    desk.places = replace(desk.places, ca=str(certificate))
    safe.lie("/a.nu", status=302, headers={"Location": f"http://{there.host}/a.nu"})
    wanted, reach = at("localhost", safe)

    assert "which is not followed" in await desk.why(wanted, reach)
    assert there.asked == []
