import zlib
from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest

from stratum_orchestrator.api.limits import MAX_OF_ONE
from support.desk import TOKEN, Served, served
from support.wait import until

_ME = "/api/v1/whoami"
_BEARER = f"Authorization: Bearer {TOKEN}"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", "Bearer", TOKEN])
async def test_the_api_is_closed_without_the_token(api: Served, given: str | None) -> None:
    answer = await api.get("/api/v1/status", Authorization=given)

    assert (answer.status, answer.json["code"]) == (401, "no-token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_metrics_need_no_token(api: Served, path: str) -> None:
    answer = await api.get(path, Authorization=None)

    assert answer.status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil", "[", "evil@127.0.0.1"]
)
async def test_a_foreign_host_name_is_misdirected(api: Served, host: str) -> None:
    answer = await api.get("/livez", Host=host)

    assert (answer.status, answer.json["code"]) == (421, "foreign-host")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_web_site_is_turned_away(api: Served, origin: str) -> None:
    answer = await api.post("/api/v1/runs/12/cancel", {"reason": "x"}, Origin=origin)

    assert (answer.status, answer.json["code"]) == (403, "foreign-origin")


async def test_the_own_origin_is_let_in(api: Served) -> None:
    answer = await api.get("/api/v1/status", Origin=api.url)

    assert answer.status == 200


async def test_a_browser_that_says_cross_site_is_turned_away(api: Served) -> None:
    answer = await api.get("/api/v1/status", Sec_Fetch_Site="cross-site")

    assert answer.status == 403


async def test_a_form_cannot_command_anything(api: Served) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await api.ask("POST", "/api/v1/runs/12/cancel", form, b"reason=x")

    assert (answer.status, answer.json["code"]) == (415, "not-json")


async def test_a_body_beyond_the_limit_is_refused(api: Served) -> None:
    answer = await api.post("/api/v1/runs/12/cancel", {"reason": "x" * 70_000})

    assert (answer.status, answer.json["code"]) == (413, "too-large")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "status=lost",
        "after=../x",
        "colour=red",
        f"limit={'9' * 5000}",
    ],
)
async def test_a_parameter_that_cannot_be_used_is_named(api: Served, query: str) -> None:
    answer = await api.get(f"/api/v1/runs?{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad-parameter")
    assert query.partition("=")[0] in str(answer.json["detail"])
    assert answer.json["remedy"]


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "x"])
async def test_nobody_waits_longer_than_the_limit(api: Served, wait: str) -> None:
    answer = await api.get(f"/api/v1/verdicts/1?wait={wait}")

    assert answer.status == 400


async def test_a_fault_of_ours_is_logged_under_the_name_that_is_told(
    api: Served, caplog: pytest.LogCaptureFixture
) -> None:
    api.desk.fault = KeyError("nobody thought of this")

    answer = await api.get("/api/v1/graph")

    [logged] = [each for each in caplog.records if each.message == "request not answered"]
    assert (answer.status, answer.json["code"]) == (500, "fault")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json["instance"] == f"urn:stratum:incident:{vars(logged)['incident']}"
    assert "nobody thought of this" in str(logged.exc_text or logged.exc_info)
    assert "nobody thought of this" not in answer.text


async def test_every_answer_forbids_what_a_browser_could_do_with_it(api: Served) -> None:
    for path in ("/livez", "/nowhere", "/api/v1/status"):
        answer = await api.get(path)

        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Server"] == "stratum"


async def test_an_unknown_path_is_a_problem_too(api: Served) -> None:
    answer = await api.get("/nowhere")

    assert (answer.status, answer.json["title"]) == (404, "Not Found")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/runs/%0d%0aSet-Cookie:%20a=b",
        "/api/v1/runs/..%2f..%2fetc%2fpasswd",
        "/api/v1/runs/a;%20REMOVE%20TABLE%20run",
        "/api/v1/runs/%00",
        "/api/v1/runs/" + "1" * 300,
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2fkeys",
        "//evil.example/livez",
    ],
)
async def test_a_path_that_names_nothing_stays_text(api: Served, path: str) -> None:
    answer = await api.ask_raw(path)

    assert answer.status in {400, 404}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Type"].startswith("application/problem+json")


MALFORMED = {
    "two lengths": "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "long header": f"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {'<b>' * 7_000}\r\n\r\n",
    "no path": "GET <script>\r\n\r\n",
    "version": "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no host": "GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "line feeds": "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\nSet-Cookie: b\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_http_is_answered_with_a_hardened_400(
    api: Served, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(api.url.rpartition(":")[2])

    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(MALFORMED[name].encode("latin-1"))
        answer = await stream.receive()

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"default-src 'none'" in answer
    assert b"Server: stratum" in answer
    assert b"<" not in answer
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    ("begun", "answered"),
    [
        ("GET /livez HTTP/1.1\r\nHost: local", b""),
        (
            "POST /api/v1/runs/12/cancel HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
            "Content-Length: 9\r\nConnection: close\r\n\r\n{",
            b"HTTP/1.1 408",
        ),
    ],
)
async def test_a_client_that_never_finishes_is_cut_off(begun: str, answered: bytes) -> None:
    async with served(read_s=0.5) as api:
        port = int(api.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(begun.encode())

            answer = b"".join([part async for part in stream])

    assert answer.startswith(answered)
    assert bool(answer) == bool(answered)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET http://evil.example/livez HTTP/1.1\r\nHost: localhost", 421),
        ("GET /livez HTTP/1.0", 421),
        (f"GET {_ME} HTTP/1.1\r\nHost: localhost\r\n{_BEARER}\r\nAuthorization: Bearer x", 401),
        (f"GET {_ME} HTTP/1.1\r\nHost: localhost\r\n{_BEARER}", 200),
    ],
    ids=["a host in the path", "no host", "two tokens", "as it should be"],
)
async def test_a_request_says_once_whom_and_as_whom_it_asks(
    api: Served, head: str, status: int
) -> None:
    assert await said(api, f"{head}\r\n\r\n".encode()) == status


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_packed_body_is_not_unpacked_whoever_sends_it(
    api: Served, encoding: str
) -> None:
    body = zlib.compress(b"\0" * (8 << 20))
    answer = await api.ask(
        "POST",
        "/api/v1/reload",
        {"Content-Type": "application/json", "Content-Encoding": encoding},
        body,
    )

    assert (answer.status, answer.json["code"]) == (415, "packed")


@pytest.mark.parametrize(
    "body",
    ["[" * 30_000, '{"reason": "a\\ud800"}', '{"reason": "a\\u0000"}', "{", '{"reason": NaN}'],
    ids=["depth", "surrogate", "NUL", "half", "NaN"],
)
async def test_what_is_no_strict_json_is_the_askers_fault(api: Served, body: str) -> None:
    kind = {"Content-Type": "application/json"}
    answer = await api.ask("POST", "/api/v1/runs/12/cancel", kind, body.encode())

    assert (answer.status, answer.json["code"]) == (400, "bad-field")


async def test_one_token_cannot_take_up_what_others_need(api: Served) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{api.url}/api/v1/verdicts/9?wait=60"

    async def wait() -> None:
        async with session.get(url, headers=headers):
            pass

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(MAX_OF_ONE):
            tasks.start_soon(wait)
        await until(lambda: api.desk.waiting == MAX_OF_ONE)

        further = await api.get("/api/v1/whoami")
        stranger = await api.get("/metrics", Authorization=None)
        alive = await api.get("/livez")
        tasks.cancel_scope.cancel()

    assert (further.status, further.json["code"]) == (429, "too-many")
    assert further.headers["Retry-After"] == "1"
    assert (stranger.status, alive.status) == (200, 200)


async def said(api: Served, request: bytes) -> int:
    """The status that is answered to these bytes."""
    port = int(api.url.rpartition(":")[2])
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        return int((await stream.receive()).split(b" ", 2)[1])
