"""The bundle in force, as the API tells and changes it."""

from collections.abc import AsyncIterator

import pytest

from stratum_orchestrator.errors import Denied, Impossible
from support.desk import Served, served

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def test_versions_are_told_with_the_runs_that_hold_them(api: Served) -> None:
    told = (await api.get("/api/v1/versions")).json

    (version,) = told["versions"]  # type: ignore[misc]
    assert (version["digest"], version["active"], version["live_runs"]) == (DIGEST, True, 7)
    assert version["signer"] is None


async def test_the_history_says_who_and_why(api: Served) -> None:
    told = (await api.get("/api/v1/activations")).json

    (line,) = told["activations"]  # type: ignore[misc]
    assert (line["by"], line["kind"]) == ("operator", "activated")


async def test_an_activation_names_what_is_wanted_and_why(api: Served) -> None:
    answer = await api.post("/api/v1/activate", {"wanted": "v1", "reason": " better "})

    assert (answer.status, answer.json["reason"]) == (202, "better")
    ((wanted, wish),) = api.desk.activations.asked
    assert (wanted, wish.reason) == ("v1", "better")
    assert wish.asker is not None


async def test_a_rollback_needs_a_reason_alone(api: Served) -> None:
    assert (await api.post("/api/v1/rollback", {"reason": "worse"})).status == 202
    assert (await api.post("/api/v1/rollback", {"reason": "x", "wanted": "v1"})).status == 400


@pytest.mark.parametrize(
    "told", [{}, {"wanted": "v1"}, {"reason": "x"}, {"wanted": 1, "reason": "x"}, [], "v1"]
)
async def test_what_says_too_little_is_refused(api: Served, told: object) -> None:
    assert (await api.post("/api/v1/activate", told)).status == 400
    assert api.desk.activations.asked == []


async def test_a_refusal_comes_with_its_remedy(api: Served) -> None:
    api.desk.activations.refusal = Impossible("not-verified", "no signature", "sign it")

    answer = await api.post("/api/v1/activate", {"wanted": "v1", "reason": "x"})

    assert (answer.status, answer.json["code"]) == (409, "not-verified")
    assert answer.json["remedy"] == "sign it"


async def test_the_policies_can_say_no(api: Served) -> None:
    api.desk.activations.refusal = Denied("activate", "the daemon", "no permit matched")

    assert (await api.post("/api/v1/activate", {"wanted": "v1", "reason": "x"})).status == 403


async def test_without_a_token_nothing_is_told(api: Served) -> None:
    for path in ("/api/v1/versions", "/api/v1/activations"):
        assert (await api.get(path, Authorization=None)).status == 401


async def test_two_bundles_are_compared_line_by_line(api: Served) -> None:
    told = (await api.get(f"/api/v1/versions/difference?from={DIGEST}&to={DIGEST}")).json

    assert told["changes"] == [
        {"change": "added", "file": "more", "lines": [], "cut": False},
        {
            "change": "changed",
            "file": "run.nu",
            "lines": ["--- old/run.nu", "+++ new/run.nu", "@@ -1 +1 @@", "-a", "+b"],
            "cut": False,
        },
    ]


@pytest.mark.parametrize("query", ["", f"?from={DIGEST}", f"?from={DIGEST}&to=stable"])
async def test_a_comparison_names_two_digests(api: Served, query: str) -> None:
    answer = await api.get(f"/api/v1/versions/difference{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad-parameter")
