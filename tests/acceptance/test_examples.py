"""The examples: their cases hold, and they run for real where their requirements are met."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import anyio
import pytest

from stratum_orchestrator.saga import case as cases
from stratum_orchestrator.saga.case import Case
from support.daemon import Daemon, running
from support.playhouse import Playhouse
from support.scripts import PROJECT
from support.typist import Terminal, follow, needs_setup
from support.vault import needs_openbao
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

EXAMPLES = PROJECT / "examples"
TYPED = ("agent", "booking", "chaining", "fan-out")
PORT = "8930"
FOLDERS = sorted(path.parent for path in EXAMPLES.rglob("node.ncl"))


def played() -> list[object]:
    return [
        pytest.param(folder, case, id=f"{folder.name}: {case.name}")
        for folder in FOLDERS
        for case in cases.read(folder)
    ]


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Path, Playhouse]:
    """Each example's definitions, loaded once."""

    async def load() -> Mapping[Path, Playhouse]:
        folders = {folder.parents[1] for folder in FOLDERS}
        return {
            nodes: await Playhouse(nodes, tmp_path_factory.mktemp("house")).open()
            for nodes in sorted(folders)
        }

    return anyio.run(load)


@pytest.mark.parametrize(("folder", "case"), played())
async def test_an_example_keeps_its_case(
    folder: Path, case: Case, houses: Mapping[Path, Playhouse], tmp_path: Path
) -> None:
    nodes = folder.parents[1]

    result = await houses[nodes].play(str(folder.relative_to(nodes)), case, str(tmp_path))

    assert result.problems == ()


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
    """One daemon with the definitions of all examples that need nothing else."""
    project = tmp_path_factory.mktemp("project")
    for name in TYPED:
        shutil.copytree(EXAMPLES / name / "nodes", project / "nodes" / name)
    for node in project.rglob("node.ncl"):
        node.write_text(node.read_text().replace(PORT, bookings))
    with running(project) as up:
        yield up


@needs_setup
@pytest.mark.parametrize("name", TYPED)
def test_the_page_of_an_example_can_be_typed_as_it_stands(
    name: str, daemon: Daemon, bookings: str
) -> None:
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8").replace(PORT, bookings)
    if "curl " in page and shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    with Terminal.of_a_reader(daemon.project) as terminal:
        assert follow(page, terminal) == []


@needs_setup
async def test_the_pipelines_that_follow_another_run_after_both_of_its_ends(
    daemon: Daemon,
) -> None:
    for data, follower in (
        ('{"goods": "lamp"}', "announce"),
        ('{"goods": "glass", "broken": true}', "excuse"),
    ):
        daemon.cli("emit", "events.goods.picked", "-d", data, "--wait")

        await until(partial(has_completed, daemon, follower))


def has_completed(daemon: Daemon, pipeline: str) -> bool:
    """Whether a run of the pipeline has."""
    runs: object = daemon.answer("runs", "--pipeline", pipeline, "--status", "completed")
    return runs != []


@needs_openbao
def test_the_node_that_is_lent_a_key_runs_on_an_openbao_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "nodes").symlink_to(EXAMPLES / "credentials" / "nodes")
    daemon = Daemon(tmp_path)
    release = json.dumps({"name": "stratum-0.1.0", "sha256": "9f86d0"})

    done = daemon.cli(
        "dev", "--emit", "events.releases.built", "--data", release, "--once", wanted=0
    )

    assert "completed" in done.stdout
    assert not openbaos(tmp_path)


def test_without_a_provider_its_event_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "nodes").symlink_to(EXAMPLES / "credentials" / "nodes")
    daemon = Daemon(tmp_path, {"STRATUM_CREDENTIALS__PROVIDER": "none"})
    release = json.dumps({"name": "stratum-0.1.0", "sha256": "9f86d0"})

    done = daemon.cli("dev", "--emit", "events.releases.built", "--data", release, "--once")

    assert done.returncode == 4
    assert "set `credentials.provider` to `vault`" in done.stdout + done.stderr


def openbaos(project: Path) -> list[str]:
    """The servers that are left of a daemon in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"HOME={project / '.stratum' / 'openbao'}".encode() in environment:
            found.append(entry.name)
    return found
