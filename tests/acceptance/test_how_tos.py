"""What the README and the how-tos say is typed as it stands there, against one daemon."""

import shutil
from collections.abc import Iterator

import pytest

from support.daemon import REPOSITORY, Daemon, running
from support.typist import Terminal, follow, needs_setup

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_setup]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "nodes" / "order-saga", project / "nodes" / "order-saga")
    with running(project) as up:
        yield up


def typed(page: str, daemon: Daemon) -> list[tuple[str, str]]:
    """Where the page and what is printed differ."""
    text = (REPOSITORY / "docs" / "how-to" / page).read_text(encoding="utf-8")
    with Terminal.of_a_reader(daemon.project) as terminal:
        return follow(text, terminal)


@pytest.mark.parametrize("page", ["write-a-node.md", "find-out-why-nothing-ran.md"])
def test_a_page_can_be_typed_as_it_stands(page: str, daemon: Daemon) -> None:
    assert typed(page, daemon) == []


def test_the_first_events_of_the_readme_can_be_published(daemon: Daemon) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = text[text.index("### Publish an event") : text.index("### Audit it")]
    shown = shown.replace("--watch\n", "--watch || true\n")  # its failure is the point
    (daemon.project / ".venv").symlink_to(REPOSITORY / ".venv")

    with Terminal.of_a_reader(daemon.project) as terminal:
        differing = follow(shown, terminal)

    watched = [each for each, _ in differing]
    assert len(watched) == 1  # a terminal shows a picture, and a pipe gets lines
    assert "undone, last stage first" in watched[0]


def test_a_principal_is_added_and_its_key_rotated_as_the_pages_say(daemon: Daemon) -> None:
    assert typed("add-a-principal.md", daemon) == []
    assert typed("rotate-a-key.md", daemon) == []

    daemon.cli("principals", "disable", "ada", wanted=0)
    said = daemon.cli("emit", "events.nobody.listens", "--as", "ada", wanted=77)

    assert said.stdout == ""
    assert said.stderr.startswith("stratum: the NATS server at ")


def test_a_backup_brings_back_what_was_on_record(daemon: Daemon) -> None:
    daemon.cli("emit", "events.nobody.listens", wanted=0)
    known = daemon.answer("verdicts")

    daemon.stop()
    differing = typed("back-up-and-restore.md", daemon)
    daemon.start()

    assert differing == []
    assert daemon.answer("verdicts") == known
