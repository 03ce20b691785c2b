"""What readiness says of the bundle: what serves, what the source offers, what is wrong."""

from pathlib import Path

from stratum_orchestrator.boot.supplies import Provision
from stratum_orchestrator.config import Definitions, Settings
from stratum_orchestrator.distribution.supply import AWAY, Resolved, Supply
from stratum_orchestrator.knowledge import Sources


def provision(folder: Path, *warnings: str) -> Provision:
    local = Sources(
        folders=(folder,),
        library=folder,
        principals=folder,
        policies=folder,
        subjects=(),
        access=folder,
    )
    chosen = Settings(definitions=Definitions(source="oci-layout:nodes:v1"))
    made = Provision(Supply(local, chosen, folder, folder / "home"), lambda: local)
    made.took(Resolved(sources=local, digest="sha256:a", warnings=warnings))
    return made


def test_what_a_tag_has_moved_to_is_named_until_it_serves(tmp_path: Path) -> None:
    made = provision(tmp_path)

    made.noticed("sha256:b", "")
    offered = made.look()
    made.noticed("sha256:a", "")

    assert offered == (True, "sha256:a; oci-layout:nodes:v1 is sha256:b by now")
    assert made.look() == (True, "sha256:a")


def test_a_source_that_is_back_is_no_longer_away(tmp_path: Path) -> None:
    made = provision(tmp_path, f"{AWAY}, the verified cache serves: no", "it is odd")

    made.noticed("", f"{AWAY}: still")
    away = made.look()[1]
    made.noticed("sha256:a", "")

    assert away.endswith(f"it is odd; {AWAY}: still")
    assert made.look() == (True, "sha256:a; it is odd")
    assert made.troubles == ["it is odd"]
