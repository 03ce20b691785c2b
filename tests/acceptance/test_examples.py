"""The examples: their cases hold, and they run for real where their requirements are met."""

import json
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from stratum_orchestrator.saga import case as cases
from stratum_orchestrator.saga.case import Case
from support.daemon import Daemon
from support.playhouse import Playhouse
from support.scripts import PROJECT
from support.vault import needs_openbao

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

EXAMPLES = PROJECT / "examples"
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
