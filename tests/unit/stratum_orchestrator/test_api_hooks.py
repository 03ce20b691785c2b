"""What a registry tells the daemon, and who may tell it anything."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from support.desk import Served, served

DOCKER = "application/vnd.docker.distribution.events.v1+json"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


def pushed(repository: str, tag: str | None = "stable", action: str = "push") -> object:
    """As docker-registry tells it."""
    target: dict[str, object] = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{'0' * 64}",
        "size": 708,
        "length": 708,
        "repository": repository,
        "url": f"http://registry.example/v2/{repository}/manifests/sha256:{'0' * 64}",
    }
    if tag is not None:
        target["tag"] = tag
    return {
        "id": "a",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "action": action,
        "target": target,
        "request": {"id": "b", "addr": "127.0.0.1:5", "host": "registry", "method": "PUT"},
        "actor": {},
        "source": {"addr": "registry:5000", "instanceID": "c"},
    }


async def told(api: Served, body: object, **headers: str | None) -> tuple[int, object]:
    asked = {"Content-Type": DOCKER, "Authorization": None} | headers
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await api.ask("POST", "/hooks/oci", asked, text)
    return answer.status, answer.json.get("looks")


async def test_a_registry_on_this_machine_needs_no_token(api: Served) -> None:
    events = [pushed("team/nodes"), pushed("team/others"), pushed("team/blobs", tag=None)]

    assert await told(api, {"events": events}) == (202, True)
    assert api.desk.hints.heard_of == [frozenset({"team/nodes", "team/others"})]


async def test_a_token_of_who_may_reload_is_taken(api: Served) -> None:
    token = {"Authorization": "Bearer let-me-in"}

    assert (await told(api, {"events": [pushed("team/nodes")]}, **token))[0] == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic bGV0OnVz"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_who_comes_from_elsewhere_or_says_who_it_is_has_to_prove_it(
    api: Served, headers: Mapping[str, str]
) -> None:
    assert (await told(api, {"events": [pushed("team/nodes")]}, **headers))[0] == 401
    assert api.desk.hints.heard_of == []


@pytest.mark.parametrize("action", ["pull", "delete", "mount"])
async def test_what_moves_no_tag_leads_to_no_look(api: Served, action: str) -> None:
    events = [pushed("team/nodes", action=action), {"action": "push"}, 7, None]

    assert await told(api, {"events": events}) == (202, False)


@pytest.mark.parametrize("body", [{"type": "PUSH_ARTIFACT"}, {"events": "many"}, {}])
async def test_in_another_registrys_words_it_is_a_hint_all_the_same(
    api: Served, body: object
) -> None:
    assert await told(api, body, **{"Content-Type": "application/json"}) == (202, True)
    assert api.desk.hints.heard_of == [None]


async def test_a_notification_that_is_too_long_to_read_is_a_hint(api: Served) -> None:
    body = json.dumps({"events": [pushed("x" * 300_000)]}).encode()

    assert await told(api, body) == (202, True)
    assert api.desk.hints.heard_of == [None]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
async def test_what_is_no_notification_is_refused(api: Served, body: bytes) -> None:
    assert (await told(api, body))[0] == 400
    assert api.desk.hints.heard_of == []


async def test_a_form_of_another_site_is_no_notification(api: Served) -> None:
    form = {"Content-Type": "text/plain"}

    assert (await told(api, {"events": []}, **form))[0] == 415
    assert (await told(api, {"events": []}, Origin="https://evil.example"))[0] == 403
