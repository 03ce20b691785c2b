"""Cases are read strictly, and every way in which a node can disappoint them is told."""

import json
from pathlib import Path

import msgspec
import pytest

from stratum_orchestrator.ports import Kind
from stratum_orchestrator.saga import case as cases
from stratum_orchestrator.saga.case import Case, CaseError, Expected
from stratum_orchestrator.saga.rehearsal import CaseResult, Places, differences, rehearse
from support.graph import node, shape
from support.runner import ScriptedRunner

LAMP = {"stock": {"item": "lamp", "quantity": 2}}


async def play(
    folder: Path, case: Case, runner: ScriptedRunner, **fields: object
) -> CaseResult:
    definition = node("reserve", gives="stock", **fields)
    places = Places(fixture=folder / "fixture", data=folder / "data")
    return await rehearse(definition, case, runner, places)


async def test_a_case_that_holds_has_no_problems(tmp_path: Path) -> None:
    expected = Expected(outputs={"stock": {"item": "lamp"}})

    result = await play(
        tmp_path, Case(expect=expected), ScriptedRunner(outputs={"reserve": LAMP})
    )

    assert result.problems == ()
    assert len(result.ended) == 1


async def test_steps_are_attempts_of_one_step(tmp_path: Path) -> None:
    runner = ScriptedRunner(outputs={"reserve": LAMP})

    await play(tmp_path, Case(steps=("run", "run", "undo")), runner)

    told = [msgspec.json.decode(command.stdin) for command in runner.commands]
    assert [each["step"]["attempt"] for each in told] == [1, 2, 3]
    assert told[0]["step"]["idempotency_key"] == told[1]["step"]["idempotency_key"]
    assert runner.commands[2].kind is Kind.UNDO


@pytest.mark.parametrize(
    ("case", "outcome", "outputs"),
    [
        (Case(steps=("run", "undo")), "succeeded", LAMP),
        (Case(steps=("undo",)), "interrupted", None),
        (Case(steps=("run", "undo"), outcome="interrupted"), "interrupted", None),
    ],
)
async def test_a_compensation_is_told_what_became_of_the_step(
    tmp_path: Path, case: Case, outcome: str, outputs: object
) -> None:
    runner = ScriptedRunner(outputs={"reserve": LAMP})

    await play(tmp_path, case, runner)

    told = msgspec.json.decode(runner.commands[-1].stdin)
    assert (told["outcome"], told["outputs"]) == (outcome, outputs)


async def test_other_outputs_than_expected_are_told(tmp_path: Path) -> None:
    expected = Expected(outputs={"stock": {"item": "chair"}})

    result = await play(
        tmp_path, Case(expect=expected), ScriptedRunner(outputs={"reserve": LAMP})
    )

    assert result.problems == ('outputs.stock.item is "lamp", not "chair"',)


async def test_undeclared_outputs_fail_the_step(tmp_path: Path) -> None:
    runner = ScriptedRunner(outputs={"reserve": {"stok": 1}})

    [problem] = (await play(tmp_path, Case(), runner)).problems

    assert "it produces stock, but gave stok" in problem


async def test_outputs_that_break_their_schema_fail_the_step(tmp_path: Path) -> None:
    schema = {"stock": shape(item={"type": "integer"})}
    runner = ScriptedRunner(outputs={"reserve": {"stock": {"item": "lamp"}}})

    [problem] = (await play(tmp_path, Case(), runner, output_schemas=schema)).problems

    assert "its output does not fit: stock.item" in problem


async def test_what_is_given_has_to_fit_before_anything_runs(tmp_path: Path) -> None:
    schema = {"event": shape(order={"type": "string"})}
    runner = ScriptedRunner(outputs={"reserve": LAMP})

    [problem] = (await play(tmp_path, Case(), runner, input_schemas=schema)).problems

    assert problem.startswith("what is given does not fit: event")
    assert runner.ran == []


@pytest.mark.parametrize(
    ("fails", "wanted", "problem"),
    [
        ([], None, ""),
        (["reserve"], "exited with 1", ""),
        (["reserve"], None, "step 1 (`run`) failed: reserve exited with 1"),
        ([], "out of stock", "no step failed; one should, with `out of stock`"),
        (["reserve"], "out of stock", "`out of stock` is in no failure"),
    ],
)
async def test_a_failure_has_to_be_the_expected_one(
    tmp_path: Path, fails: list[str], wanted: str | None, problem: str
) -> None:
    runner = ScriptedRunner(fails=fails, outputs={"reserve": LAMP})

    result = await play(tmp_path, Case(expect=Expected(failure=wanted)), runner)

    assert problem in "".join(result.problems)
    assert bool(problem) is bool(result.problems)


@pytest.mark.parametrize(
    ("trace", "problem"),
    [
        (True, None),
        (False, "$STRATUM_DATA/a.jsonl exists"),
        ('"n":1', None),
        ("other", "$STRATUM_DATA/a.jsonl does not contain `other`"),
        (({"n": 1}, {}), None),
        (({"n": 2}, {}), "$STRATUM_DATA/a.jsonl[0].n is 1, not 2"),
        (({"n": 1},), "$STRATUM_DATA/a.jsonl is "),
    ],
)
async def test_files_left_behind_are_compared(
    tmp_path: Path, trace: cases.Trace, problem: str | None
) -> None:
    case = Case(
        data={"a.jsonl": ('{"n":1}', '{"n":2}')}, expect=Expected(data={"a.jsonl": trace})
    )

    result = await play(tmp_path, case, ScriptedRunner(outputs={"reserve": LAMP}))

    assert [each.startswith(problem or "?") for each in result.problems] == [True] * bool(
        problem
    )


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    case = Case(expect=Expected(fixture={"a.txt": True}))

    result = await play(tmp_path, case, ScriptedRunner(outputs={"reserve": LAMP}))

    assert result.problems == ("a.txt does not exist",)


async def test_the_fixture_stands_where_the_event_says(tmp_path: Path) -> None:
    case = Case(fixture={"src/a.txt": "text"}, event={"paths": ["{{fixture}}/src"]})
    runner = ScriptedRunner(outputs={"reserve": LAMP})

    await play(tmp_path, case, runner)

    [path] = msgspec.json.decode(runner.commands[0].stdin)["event"]["data"]["paths"]
    assert (Path(path) / "a.txt").read_text() == "text"


async def test_a_missing_program_skips_the_case(tmp_path: Path) -> None:
    result = await play(tmp_path, Case(requires=("no-such-program",)), ScriptedRunner())

    assert result.skipped == "needs `no-such-program` on PATH"


async def test_a_fixture_stays_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside the folder"):
        await play(tmp_path, Case(fixture={"../a": ""}), ScriptedRunner())


def test_cases_share_what_stands_beside_them(tmp_path: Path) -> None:
    written = {"event": {"n": 1}, "cases": [{"name": "a"}, {"name": "b", "event": {"n": 2}}]}
    (tmp_path / "case.json").write_text(json.dumps(written))

    read = cases.read(tmp_path)

    assert [(case.name, case.event) for case in read] == [("a", {"n": 1}), ("b", {"n": 2})]


def test_a_file_without_a_list_is_one_case(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text('{"event": {"n": 1}}')

    assert [case.event for case in cases.read(tmp_path)] == [{"n": 1}]
    assert cases.read(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"evnt": {}}', '{"cases": {}}', '{"steps": ["go"]}']
)
def test_a_malformed_case_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "case.json").write_text(text)

    with pytest.raises(CaseError, match=r"case\.json: "):
        cases.read(tmp_path)


def test_objects_may_have_more_than_expected_and_lists_may_not() -> None:
    assert not list(differences({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3}, "x"))
    assert list(differences([1], [1, 2], "x")) == ["x is [1,2], not [1]"]
    assert list(differences({"a": 1}, None, "x")) == ['x is null, not {"a":1}']
