"""What ships keeps its word: every case of every node, played with its real scripts."""

import zipfile
from pathlib import Path

import anyio
import msgspec
import pytest

from stratum_graph.generation import compile_graph
from stratum_orchestrator.saga import case as cases
from stratum_orchestrator.saga.case import Case, Expected
from support.playhouse import SHIPPED, Playhouse
from support.scripts import PROJECT

pytestmark = pytest.mark.acceptance

FOLDERS = sorted(path.parent for path in SHIPPED.rglob("node.ncl"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Playhouse:
    house = Playhouse(SHIPPED, tmp_path_factory.mktemp("shipped"))
    return anyio.run(house.open)


def examples() -> list[object]:
    return [
        pytest.param(str(folder.relative_to(SHIPPED)), case, id=f"{folder.name}: {case.name}")
        for folder in FOLDERS
        for case in cases.read(folder)
    ]


def test_every_node_has_cases() -> None:
    assert [folder.name for folder in FOLDERS if not cases.read(folder)] == []


@pytest.mark.parametrize(("node", "case"), examples())
async def test_a_node_keeps_its_case(
    shipped: Playhouse, node: str, case: Case, tmp_path: Path
) -> None:
    result = await shipped.play(node, case, str(tmp_path))

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.problems == ()


@pytest.mark.parametrize(
    ("subject", "stages"),
    [
        (
            "events.orders.placed",
            [{"reserve-stock", "screen-order"}, {"charge-payment"}, {"ship-order"}],
        ),
        (
            "events.python-package.changed",
            [
                {"lint", "format-check"},
                {"build-wheel", "build-sdist"},
                {"manifest"},
                {"release"},
            ],
        ),
        ("events.crate.demo.pushed", [{"lint-crate", "fmt-crate"}, {"build-crate"}]),
    ],
)
def test_an_event_runs_these_stages(
    shipped: Playhouse, subject: str, stages: list[set[str]]
) -> None:
    compiled = compile_graph(list(shipped.definitions.values()), subjects=("events.>",))

    assert compiled.diagnostics == ()
    assert compiled.generation
    [plan] = compiled.generation.plans(subject, {})
    names = [each.definition.node.name for each in plan.nodes]
    assert [{names[index] for index in stage} for stage in plan.stages] == stages


async def test_this_project_becomes_a_wheel(shipped: Playhouse, tmp_path: Path) -> None:
    inputs = {"linted-package": {"tool": "ruff", "findings": 0}, "formatted-package": {}}
    case = Case(event={"path": str(PROJECT)}, inputs=inputs)

    result = await shipped.play("python-package/build-wheel", case, str(tmp_path))

    assert result.problems == ()
    packed = contents(tmp_path)
    assert "stratum_orchestrator/shipped/policies/roles.cedar" in packed
    assert not [name for name in packed if "__pycache__" in name]


def contents(folder: Path) -> list[str]:
    """What the wheel that was built below the folder holds."""
    [wheel] = folder.rglob("builds/rehearsal/stratum-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
async def test_a_build_does_not_look_above_its_copy(
    shipped: Playhouse, kind: str, tmp_path: Path
) -> None:
    case = next(iter(cases.read(SHIPPED / "python-package" / f"build-{kind}")))
    above = tmp_path / "scratch" / ".gitignore"
    above.parent.mkdir()
    above.write_text("*\n")

    result = await shipped.play(f"python-package/build-{kind}", case, str(tmp_path))

    assert result.problems == ()


async def test_a_release_that_is_undone_brings_back_the_one_before(
    shipped: Playhouse, tmp_path: Path
) -> None:
    first, second = (release(run=run) for run in ("run-1", "run-2"))
    before = Expected(data={"releases/demo-1.0.0/manifest.json": "run-1.tar.gz"})

    made = await shipped.play("python-package/release", first, str(tmp_path))
    undone = await shipped.play(
        "python-package/release",
        msgspec.structs.replace(second, steps=("run", "undo"), expect=before),
        str(tmp_path),
    )

    assert (made.problems, undone.problems) == ((), ())


async def test_a_later_release_survives_the_undoing_of_an_earlier(
    shipped: Playhouse, tmp_path: Path
) -> None:
    first, second = (release(run=run) for run in ("run-1", "run-2"))
    after = Expected(data={"releases/demo-1.0.0/manifest.json": "run-2.tar.gz"})

    await shipped.play("python-package/release", first, str(tmp_path))
    await shipped.play("python-package/release", second, str(tmp_path))
    undone = await shipped.play(
        "python-package/release",
        msgspec.structs.replace(first, steps=("undo",), expect=after),
        str(tmp_path),
    )

    assert undone.problems == ()


def release(*, run: str) -> Case:
    """A release of one artifact that is named after its run."""
    file = f"{run}.tar.gz"
    artifact = {"file": file, "path": f"builds/{file}", "size": 5, "sha256": "0" * 64}
    manifest = {"name": "demo", "version": "1.0.0", "artifacts": [artifact]}
    return Case(
        run=run, inputs={"package-manifest": manifest}, data={f"builds/{file}": "sdist"}
    )
