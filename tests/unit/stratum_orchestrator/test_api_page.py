"""The page's files: who gets them, and what they may not hold."""

import gzip
import re
from collections.abc import AsyncIterator

import pytest

from stratum_orchestrator.api import assets
from support.desk import Served, served

FILES = assets.read()


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize("path", [*assets.VIEWS[:2], "/runs/abc", *assets.VIEWS[3:]])
async def test_every_address_of_the_page_is_answered_with_it(api: Served, path: str) -> None:
    answer = await api.get(path, Authorization=None)

    assert answer.status == 200
    assert "/page/app.js" in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
        ("mark.svg", "image/svg+xml"),
    ],
)
async def test_its_files_need_no_token(api: Served, name: str, media_type: str) -> None:
    answer = await api.get(f"/page/{name}", Authorization=None)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(media_type)


async def test_a_file_that_has_not_changed_is_not_sent_again(api: Served) -> None:
    tag = (await api.get("/page/app.js")).headers["ETag"]

    answer = await api.get("/page/app.js", If_None_Match=tag)

    assert (answer.status, answer.text) == (304, "")


@pytest.mark.parametrize("name", ["none.js", "..%2fguard.py", "%2e%2e%2f%2e%2e%2fconfig.py"])
async def test_nothing_but_its_files_is_served(api: Served, name: str) -> None:
    answer = await api.get(f"/page/{name}", Authorization=None)

    assert answer.status == 404


def test_it_stays_small() -> None:
    sent = sum(len(gzip.compress(each.content)) for each in FILES.values())

    assert sent < 100_000


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_data_never_becomes_markup_or_code(name: str) -> None:
    text = FILES[name].content.decode()

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text
    )


@pytest.mark.parametrize("name", FILES)
def test_it_names_no_address_outside(name: str) -> None:
    found = re.findall(r"https?://[^\"'\s)]+|[\"'(]//[^\"'\s)]+", FILES[name].content.decode())

    assert set(found) <= {"http://www.w3.org/2000/svg"}


def test_the_document_has_nothing_inline() -> None:
    text = FILES["index.html"].content.decode()

    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\bon\w+=|style=", text)


def test_every_file_that_is_imported_is_there() -> None:
    scripts = {n: each.content.decode() for n, each in FILES.items() if n.endswith(".js")}
    named = {
        found
        for text in scripts.values()
        for found in re.findall(r'(?:from|import\()\s*["`]/page/(\w+\.js)', text)
    }

    assert named <= set(FILES)
