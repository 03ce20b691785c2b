"""What README, how-tos and examples say is typed as it stands there, against one daemon."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from stratum_orchestrator.cli.exits import Exit
from support.daemon import REPOSITORY, Daemon, running, with_patience
from support.typist import Terminal, follow, needs_setup
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180), needs_setup]


EXAMPLES = REPOSITORY / "examples"
TYPED = ("agent", "approval", "booking", "chaining", "fan-out")
PORT = "8930"


@pytest.fixture(scope="module")
def bookings() -> Iterator[str]:
    """The port of the booking service."""
    command = [sys.executable, str(EXAMPLES / "booking" / "service.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        yield service.stdout.readline().strip()
        service.kill()


@pytest.fixture(scope="module")
def daemon(bookings: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "nodes" / "order-saga", project / "nodes" / "order-saga")
    for name in TYPED:
        shutil.copytree(EXAMPLES / name / "nodes", project / "nodes" / name)
    for node in project.rglob("node.ncl"):
        node.write_text(node.read_text().replace(PORT, bookings))
    with running(project) as up:
        yield up


def typed(text: str, daemon: Daemon) -> list[tuple[str, str]]:
    """Where the page and what is printed differ."""
    with Terminal.of_a_reader(daemon.project) as terminal:
        return follow(text, terminal)


def how_to(name: str) -> str:
    return (REPOSITORY / "docs" / "how-to" / name).read_text(encoding="utf-8")


def test_why_nothing_ran_is_found_out_as_the_page_says(daemon: Daemon) -> None:
    assert typed(how_to("find-out-why-nothing-ran.md"), daemon) == []


@pytest.mark.parametrize("name", TYPED)
async def test_the_page_of_an_example_can_be_typed_as_it_stands(
    name: str, daemon: Daemon, bookings: str
) -> None:
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8").replace(PORT, bookings)
    if "curl " in page and shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    assert typed(page, daemon) == []

    for follower in ("announce", "excuse") if name == "chaining" else ():
        await until(partial(has_completed, daemon, follower))


def has_completed(daemon: Daemon, pipeline: str) -> bool:
    """Whether a run of the pipeline has."""
    runs: object = daemon.answer("runs", "--pipeline", pipeline, "--status", "completed")
    return runs != []


def test_the_first_events_of_the_readme_can_be_published(daemon: Daemon) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = text[text.index("### Publish an event") : text.index("### Audit it")]
    shown = shown.replace("--watch\n", "--watch || true\n")  # its failure is the point
    (daemon.project / ".venv").symlink_to(REPOSITORY / ".venv")

    watched = [each for each, _ in typed(shown, daemon)]
    assert len(watched) == 1  # a terminal shows a picture, and a pipe gets lines
    assert "undone, last stage first" in watched[0]


def test_a_principal_is_added_and_its_key_rotated_as_the_pages_say(daemon: Daemon) -> None:
    assert typed(how_to("add-a-principal.md"), daemon) == []
    assert typed(how_to("rotate-a-key.md"), daemon) == []

    daemon.cli("principals", "disable", "ada", wanted=0)
    words = ("emit", "events.nobody.listens", "--as", "ada")
    while (said := daemon.cli(*words)).returncode != Exit.PERMISSION:
        with_patience()  # the daemon notices a moment later

    assert said.stdout == ""
    assert said.stderr.startswith("stratum: the NATS server at ")


def test_a_backup_brings_back_what_was_on_record(daemon: Daemon) -> None:
    daemon.cli("emit", "events.nobody.listens", wanted=0)
    known = daemon.answer("verdicts")

    daemon.stop()
    differing = typed(how_to("back-up-and-restore.md"), daemon)
    daemon.start()

    assert differing == []
    verdicts = daemon.answer("verdicts")  # and what has come in of what others began
    assert [each for each in verdicts if each in known] == known
