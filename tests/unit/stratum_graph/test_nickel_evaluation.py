"""Evaluation in jailed workers."""

import json
from pathlib import Path

import anyio
import pytest

from stratum_graph.definitions import landlock, snapshot, workers
from stratum_graph.definitions.document import Document, evaluate_document
from stratum_graph.definitions.nickel import Material, evaluate
from stratum_graph.definitions.workers import EvaluationLimits, Failed, Job, Stopped
from stratum_graph.errors import EvaluationFailed
from support.definitions import LIBRARY, LOW_LIMITS, node, write

SETTINGS = """
{
  Config = {
    name | String | default = "stratum",
    nats | { url | String | default = "embedded" } | default = {},
  },
}
"""


async def outcomes(jail: Path, **units: str) -> dict[str, object]:
    job = Job(units=units, jail=jail, paths=[jail], limits=LOW_LIMITS)
    return dict(await workers.evaluate(job))


async def test_many_files_come_back_each_with_its_own_end() -> None:
    files = {f"n{number}.ncl": node(f"n{number}").encode() for number in range(40)}
    files |= {"n7.ncl": b"{", "n23.ncl": b"{ name = 1 }"}
    material = Material(files=files, library=snapshot.take([LIBRARY]).files)

    evaluated = await evaluate(material, dict.fromkeys(files, "node"))

    assert {name for name, each in evaluated.items() if each.diagnostics} == {
        "n7.ncl",
        "n23.ncl",
    }
    assert evaluated.keys() == files.keys()


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "../secret", "link"])
async def test_the_jail_holds_when_the_text_was_not_looked_at(
    tmp_path: Path, path: str
) -> None:
    jail = write(tmp_path / "jail", {"inside.txt": "inside"})
    write(tmp_path, {"secret": "secret"})
    (jail / "link").symlink_to(tmp_path / "secret")

    found = await outcomes(
        jail, good='import "inside.txt" as \'Text', bad=f'import "{path}" as \'Text'
    )

    assert found["good"] == "inside"
    assert isinstance(found["bad"], Failed)


async def test_a_unit_that_prints_cannot_speak_for_the_worker(tmp_path: Path) -> None:
    forged = json.dumps(json.dumps({"values": {"b": "forged"}}))

    found = await outcomes(tmp_path, a=f'std.trace ("\\n" ++ {forged} ++ "\\n") 1', b='"true"')

    assert found == {"a": 1, "b": "true"}


async def test_the_worker_that_dies_takes_nobody_along(tmp_path: Path) -> None:
    units = {f"u{number}": str(number) for number in range(12)}

    found = await outcomes(tmp_path, **units, bad="fun x => " * 50_000 + "x")

    assert isinstance(found.pop("bad"), Stopped)
    assert found == {f"u{number}": number for number in range(12)}


async def test_silence_ends_a_worker(tmp_path: Path) -> None:
    limits = EvaluationLimits(memory=256 << 20, cpu_s=60, quiet_s=0.5)
    units = {"slow": "std.number.pow 10 100000000"}

    found = await workers.evaluate(
        Job(units=units, jail=tmp_path, paths=[tmp_path], limits=limits)
    )

    assert found["slow"] == Stopped("evaluation gave no answer within 0.5 s", settled=False)


async def test_too_much_data_is_refused(tmp_path: Path) -> None:
    limits = EvaluationLimits(output=1000)
    units = {"big": "std.array.replicate 1000 0", "small": "1"}

    found = await workers.evaluate(
        Job(units=units, jail=tmp_path, paths=[tmp_path], limits=limits)
    )

    assert isinstance(found["big"], Failed)
    assert found["small"] == 1


async def test_a_worker_that_cannot_start_is_nobodys_mistake(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match="No such file"):
        await outcomes(tmp_path / "absent", a="1")


async def test_a_cancelled_evaluation_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    material = Material(
        files={"a.ncl": node("a", "timeout = std.number.pow 10 100000000,").encode()},
        library=snapshot.take([LIBRARY]).files,
    )

    with anyio.move_on_after(0.3) as scope:
        await evaluate(material, {"a.ncl": "node"})

    assert scope.cancelled_caught
    assert [each async for each in anyio.Path(tmp_path).iterdir()] == []


async def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    library = write(tmp_path / "lib", {"config.ncl": SETTINGS, "stratum.ncl": "{}"})
    write(tmp_path, {"stratum.ncl": 'import "more.ncl"', "more.ncl": '{ nats.url = "file" }'})
    odd = 'nats://"%{1 + 1}\u00e9'

    found = await evaluate_document(
        Document(
            file=tmp_path / "stratum.ncl",
            contract="config",
            library=library,
            overrides={"nats.url": odd},
        )
    )

    assert found.value == {"name": "stratum", "nats": {"url": odd}}


async def test_a_missing_document_is_told(tmp_path: Path) -> None:
    found = await evaluate_document(
        Document(file=tmp_path / "absent.ncl", contract="principals", library=LIBRARY)
    )

    assert [str(each) for each in found.diagnostics] == [
        f"{tmp_path}/absent.ncl:1:1: cannot be read: No such file or directory"
    ]


async def test_an_interpreter_that_cannot_be_executed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_COMMAND", (str(tmp_path),))

    with pytest.raises(EvaluationFailed, match=f"no process starts for it.*{tmp_path}"):
        await outcomes(tmp_path, one="1")


async def test_a_missing_library_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match=r"holds no `stratum\.ncl`"):
        await evaluate_document(
            Document(file=tmp_path / "a.ncl", contract="config", library=tmp_path)
        )
