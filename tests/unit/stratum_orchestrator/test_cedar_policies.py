"""What loads as a set of policies, and what is refused with which words."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stratum_orchestrator.auth import cases
from stratum_orchestrator.auth.cedar import PolicySet
from stratum_orchestrator.auth.errors import BadPolicies

SHIPPED = Path(__file__).parents[3] / "policies"
PERMIT = '@id("all")\npermit (principal, action, resource);\n'

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Write files beside the shipped schema; the keyword's `_` stands for the name's dot."""

    def write(**files: str) -> Path:
        schema = (SHIPPED / "stratum.cedarschema").read_text()
        for name, text in ({"stratum_cedarschema": schema} | files).items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return tmp_path

    return write


def faults(folder: Path) -> list[str]:
    with pytest.raises(BadPolicies) as refused:
        PolicySet.load(folder)
    return [str(each) for each in refused.value.diagnostics]


def test_the_shipped_policies_load_and_keep_their_cases() -> None:
    loaded = PolicySet.load(SHIPPED)

    assert "guard.tenant" in loaded.ids
    assert loaded.digest.startswith("sha256:")


def test_the_shipped_cases_show_every_policy_and_every_action() -> None:
    examples = cases.read(SHIPPED).cases

    actions = ["trigger", "view", "cancel", "retry", "approve", "abandon", "waive"]
    actions += ["reload", "activate", "choose", "publish", "pause", "admin"]
    assert {case.action for case in examples if case.allow} == set(actions)
    assert {policy for case in examples for policy in case.policies} == set(
        PolicySet.load(SHIPPED).ids
    )


def test_the_digest_follows_the_text(folder: Folder) -> None:
    before = PolicySet.load(folder(a_cedar=PERMIT)).digest

    after = PolicySet.load(folder(a_cedar=PERMIT + "// changed\n")).digest

    assert before != after


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("permit (principal, action, resource);", "a.cedar:2:1: the policy has no name"),
        (PERMIT, 'a.cedar:2:1: @id("all") is already the name of 0.cedar:1'),
        ('@id("t") permit (principal == ?principal, action, resource);', "a template"),
        (
            '// ; "\n@id("x") permit (principal, actoin, resource);',
            "a.cedar:3:1: found an invalid",
        ),
        ('@id("x") permit (principal, action, resource)', "unexpected end of input"),
        (
            '@id("x") permit (principal, action == Stratum::Action::"triger", resource);',
            'x: unrecognized action `Stratum::Action::"triger"`',
        ),
        (
            '@id("x") permit (principal, action, resource) when { context.subject == "a" };',
            "unable to guarantee safety of access to optional attribute `subject`",
        ),
    ],
)
def test_a_bad_policy_is_refused_by_its_place(folder: Folder, text: str, fault: str) -> None:
    found = faults(folder(**{"0_cedar": PERMIT, "a_cedar": "\n" + text}))

    assert any(fault in each for each in found), found


def test_every_fault_is_named_at_once(folder: Folder) -> None:
    found = faults(folder(a_cedar="permit (principal, action, resource);" * 2, b_cedar="oops;"))

    assert [each.split(":")[0] for each in found] == ["a.cedar", "a.cedar", "b.cedar"]


def test_a_semicolon_in_a_string_ends_no_policy(folder: Folder) -> None:
    odd = '@id("odd") permit (principal, action, resource)\nwhen { principal.key == "a;\\"b" };'

    loaded = PolicySet.load(folder(a_cedar=odd))

    assert loaded.ids == ("odd",)


def test_a_folder_needs_policies_and_one_schema(folder: Folder, tmp_path: Path) -> None:
    assert "needs *.cedar" in faults(folder())[0]
    assert "found a.cedarschema, stratum.cedarschema" in faults(folder(a_cedarschema="x"))[0]
    assert "found none" in faults(tmp_path / "nowhere")[0]


def test_a_set_whose_case_fails_does_not_load(folder: Folder) -> None:
    case = {"name": "no", "principal": "ada", "action": "view", "pipeline": "build"}
    wanted = {"principals": {"ada": {}}, "cases": [case | {"allow": False, "policies": []}]}

    found = faults(folder(a_cedar=PERMIT, cases_json=json.dumps(wanted)))

    assert found == [
        "cases.json:1:1: case `no`: should be denied by no policy, "
        "but is allowed: permitted by all"
    ]


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, '{"case": []}', '{"pipelines": {"a": {"irreversable": true}}}']
)
def test_malformed_cases_are_refused(folder: Folder, text: str) -> None:
    assert faults(folder(a_cedar=PERMIT, cases_json=text))[0].startswith("cases.json:1:1: ")


def test_a_file_that_is_no_text_is_refused(folder: Folder) -> None:
    (folder(a_cedar=PERMIT) / "b.cedar").write_bytes(b"\xff")

    assert "b.cedar:1:1: not UTF-8 text" in faults(folder())[0]


@pytest.mark.parametrize("name", ["b.cedar", "cases.json"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "it is no plain file"),
        (Path.mkdir, "it is no plain file"),
        (lambda x: x.symlink_to("/dev/zero"), "it is no plain file"),
        (lambda x: x.symlink_to(x.name), "Too many levels of symbolic links"),
        (lambda x: x.write_bytes(b"\n" * (5 << 20)), "it is larger than"),
    ],
)
def test_what_is_no_file_is_refused_and_not_waited_for(
    folder: Folder, name: str, make: Callable[[Path], object], why: str
) -> None:
    make(folder(a_cedar=PERMIT) / name)

    (fault,) = faults(folder())

    assert fault.startswith(f"{name}:1:1: cannot be read: {why}")
