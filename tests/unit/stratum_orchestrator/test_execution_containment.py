"""Which paths a node may be given, and what it finds in its environment."""

from pathlib import Path

import pytest

from stratum_graph.definitions.landlock import Rules
from stratum_orchestrator.execution.binary import find
from stratum_orchestrator.execution.containment import Containment, Level
from stratum_orchestrator.execution.environment import environment
from stratum_orchestrator.execution.errors import (
    CannotStart,
    LevelMissing,
    NushellMissing,
    NushellTooOld,
)
from stratum_orchestrator.execution.reach import Reach
from stratum_orchestrator.ports import Kind
from support.levels import needs_bubblewrap, needs_landlock
from support.scripts import command, settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "pipelines" / "crate").mkdir(parents=True)
    (tmp_path / "source" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/etc")
    return tmp_path.resolve()


def reach(folder: Path) -> Reach:
    return Reach(
        tree=str(folder / "tree"),
        scratch=str(folder / "scratch" / "1"),
        data=str(folder / "data" / "pipelines" / "crate"),
    )


def rules(folder: Path, *, read: str = "/etc", write: str = "/dev/null") -> Rules | None:
    containment = Containment(settings(folder), ())
    return containment.fence(
        command("run.nu", read=(read,), write=(write,)), reach(folder)
    ).rules


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self/environ", "/dev/../proc/1"])
def test_no_node_is_given_the_processes(folder: Path, path: str) -> None:
    with pytest.raises(CannotStart, match="secrets"):
        rules(folder, read=path)


@pytest.mark.parametrize("path", ["data", "data/db", "data/pipelines/other", "scratch/2"])
def test_no_node_is_given_what_is_the_daemons_own(folder: Path, path: str) -> None:
    with pytest.raises(CannotStart, match="STRATUM_DATA"):
        rules(folder, read=str(folder / path))


def test_a_relative_path_is_refused(folder: Path) -> None:
    with pytest.raises(CannotStart, match="not an absolute path"):
        rules(folder, read="source")


def test_a_folder_around_the_daemons_own_cannot_be_written(folder: Path) -> None:
    with pytest.raises(CannotStart, match="lies in it"):
        rules(folder, write=str(folder))


def test_a_missing_folder_cannot_be_written(folder: Path) -> None:
    with pytest.raises(CannotStart, match="create it"):
        rules(folder, write=str(folder / "nowhere"))


@needs_landlock
def test_a_link_to_itself_cannot_be_written(folder: Path) -> None:
    link = folder / "round"
    link.symlink_to("round")

    with pytest.raises(CannotStart, match="does not exist"):
        rules(folder, write=str(link))


def test_the_pipelines_own_folder_needs_no_leave(folder: Path) -> None:
    own = str(folder / "data" / "pipelines" / "crate" / "wheel")

    given = rules(folder, read=own, write=own)

    assert given is not None
    assert own not in given.read


@needs_landlock
def test_a_folder_around_the_daemons_own_is_read_without_that(folder: Path) -> None:
    given = rules(folder, read=str(folder))

    assert given is not None
    assert given.browse == (str(folder),)
    assert str(folder / "source") in given.read
    assert str(folder / "data") not in given.read
    assert str(folder / "link") not in given.read


def test_a_wanted_level_is_had_or_missed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratum_graph.definitions.landlock.abi", lambda: 0)

    assert Containment(settings(folder), ()).level is Level.LIMITS
    with pytest.raises(LevelMissing, match="no Landlock"):
        Containment(settings(folder, level="landlock"), ())


def test_the_remedy_for_a_missing_level_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum_graph.definitions.landlock.abi", lambda: 0)
    containment = Containment(settings(folder, path=(str(folder),)), ())

    assert containment.missing("limits") == ""
    assert "Linux 5.13" in containment.missing("landlock")
    assert "install bubblewrap" in containment.missing("bubblewrap")
    with pytest.raises(CannotStart, match="install bubblewrap"):
        containment.fence(command("run.nu", containment="bubblewrap"), reach(folder))


def test_a_sandbox_that_does_not_work_says_why(folder: Path) -> None:
    broken = folder / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions' >&2; exit 1\n")
    broken.chmod(0o755)

    missing = Containment(settings(folder, path=(str(folder),)), ()).missing("bubblewrap")

    assert "No permissions" in missing
    assert "user namespaces" in missing


@needs_bubblewrap
def test_a_node_gets_more_than_the_least_when_it_asks(folder: Path) -> None:
    containment = Containment(settings(folder, level="limits"), ())

    fence = containment.fence(command("run.nu", containment="bubblewrap"), reach(folder))

    assert (fence.level, fence.told) == (Level.BUBBLEWRAP, "bubblewrap")
    assert "--unshare-net" in fence.wrap


@pytest.mark.parametrize(
    ("level", "network", "told"),
    [("limits", False, "limits, network open"), ("limits", True, "limits")],
)
def test_a_network_that_cannot_be_denied_is_on_record(
    folder: Path, level: str, *, network: bool, told: str
) -> None:
    containment = Containment(settings(folder, level=level), ())

    fence = containment.fence(command("run.nu", network=network), reach(folder))

    assert fence.told == told


def test_what_is_not_contained_is_said(folder: Path) -> None:
    described = Containment(settings(folder, level="limits"), ()).describe()

    assert described["level"] == "limits"
    assert "environment of the daemon" in str(described["gaps"])


def test_an_undo_has_a_key_of_its_own(folder: Path) -> None:
    do = environment(command("run.nu"), reach(folder), ("/bin",), "mark")
    undo = environment(command("run.nu", kind=Kind.UNDO), reach(folder), ("/bin",), "mark")

    assert do["STRATUM_IDEMPOTENCY_KEY"] == "run-1/lint"
    assert undo["STRATUM_IDEMPOTENCY_KEY"] == "run-1/lint/undo"


def test_a_node_cannot_pretend_to_be_another(folder: Path) -> None:
    posing = command("run.nu", env={"STRATUM_NODE": "other", "LANG": "de_DE.UTF-8"})

    given = environment(posing, reach(folder), ("/bin",), "mark")

    assert (given["STRATUM_NODE"], given["LANG"]) == ("lint", "de_DE.UTF-8")


@pytest.mark.parametrize("version", ["0.113.9", "0.9.0", "nonsense", ""])
def test_an_old_nushell_is_refused(tmp_path: Path, version: str) -> None:
    nu = tmp_path / "nu"
    nu.write_text(f"#!/bin/sh\necho '{version}'\n")
    nu.chmod(0o755)

    with pytest.raises(NushellTooOld, match=r"0\.114"):
        find(settings(tmp_path, nu=nu))


def test_a_missing_nushell_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NushellMissing, match="npm install"):
        find(settings(tmp_path, nu=None, project=tmp_path, path=(str(tmp_path),)))


def test_leased_values_reach_the_environment_and_no_repr(folder: Path) -> None:
    leased = command("run.nu", secrets={"DEPLOY_TOKEN": "hush", "STRATUM_RUN": "x"})

    given = environment(leased, reach(folder), ("/bin",), "mark")

    assert given["DEPLOY_TOKEN"] == "hush"  # noqa: S105 - of this test
    assert given["STRATUM_RUN"] == leased.run
    assert "hush" not in repr(leased)
