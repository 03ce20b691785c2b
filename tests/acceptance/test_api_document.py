"""A real daemon against the description of its API."""

from collections.abc import Iterator

import pytest
from schemathesis.schemas import APIOperation

from support import document
from support.daemon import Daemon, greeting

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with greeting(tmp_path_factory.mktemp("project")) as up:
        yield up


@pytest.fixture(scope="module")
def run(daemon: Daemon) -> str:
    return str(daemon.answer("emit", "events.greet", "--wait")["run"])


@pytest.mark.parametrize(
    "operation", document.OPERATIONS, ids=lambda each: f"{each.method} {each.path}"
)
def test_every_answer_is_as_the_document_says(
    daemon: Daemon, run: str, operation: APIOperation
) -> None:
    known = {"run": run, "node": "greet", "name": "greet", "sequence": "1"}

    document.hold(operation, str(daemon.address["http"]), daemon.token, known)
