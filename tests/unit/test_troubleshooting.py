"""Every code that the product can print has an entry in docs/troubleshooting.md."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from platform_nats.errors import RefusalCode
from stratum_graph.model import ErrorClass
from stratum_orchestrator.saga.attention import Code as AttentionCode
from stratum_state.model import VerdictKind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
CODE = re.compile(r"[a-z]+(?:-[a-z]+)*")
ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)

STATUS_FIRST = ("Problem", "_problem", "_bad", "super().__init__")
API = (*STATUS_FIRST, "Stranger", "Impossible", "_away")
"""The names of what is made with a code; the former with an HTTP status before it."""
VERDICTS = ("Refused", "EnvelopeRefused", "Judgement")

HANDED_ON: Mapping[str, frozenset[str]] = {
    "code": frozenset({"not-published", "not-verified", "refused"}),
    "f'{fault}-key'": frozenset({"revoked-key", "expired-key"}),
    "CODE": frozenset({"no-version"}),
    "NOT_HERE": frozenset({"not-here"}),
    "f'already-{kind}'": frozenset({"already-active", "already-paused", "already-disabled"}),
    "outcome.code": frozenset(),  # what another instance answered
    "stranger.code": frozenset(),
    "why.code": frozenset(),
}
"""What stands for a code where it is no text, and which codes it can be beyond those found."""


def entries(title: str) -> set[str]:
    """The codes that have a row below a heading."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    [found] = [each for each in section if each.startswith(f"{title}\n")]
    return {code for row in ROW.findall(found) for code in re.findall(r"`([^`]+)`", row)}


def codes(*makers: str) -> set[str]:
    """The codes with which the product's own code makes one of these."""
    arguments = [each for maker in calls(makers) for each in maker]
    found = [_meant(each) for each in arguments]
    assert all(found), "a code is made in a way that HANDED_ON does not have"
    return {code for each in found for code in each if CODE.fullmatch(code)}


def _meant(argument: ast.expr) -> frozenset[str]:
    """The codes that an argument can be; empty when that is not known."""
    said = ast.unparse(argument)
    if said in HANDED_ON:
        return HANDED_ON[said] or frozenset({"-"})
    values = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
    texts = [each.value for each in values if isinstance(each, ast.Constant)]
    return frozenset(each for each in texts if isinstance(each, str))


def calls(makers: tuple[str, ...]) -> Iterator[list[ast.expr]]:
    """What each call gives as the code: its first argument, or the second behind a status."""
    for node in all_calls():
        if (maker := ast.unparse(node.func)) in makers:
            named = [each.value for each in node.keywords if each.arg == "code"]
            yield named or list(_positional(maker, node.args))


@cache
def all_calls() -> tuple[ast.Call, ...]:
    """Every call in the product's own code, read once."""
    return tuple(
        node
        for file in sources()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    )


def _positional(maker: str, given: list[ast.expr]) -> Iterator[ast.expr]:
    if maker not in STATUS_FIRST:
        yield from given[:1]
    elif given and "status" in ast.unparse(given[0]).lower():
        yield from given[1:2]


def sources() -> Iterator[Path]:
    for package in ("stratum_orchestrator", "platform_nats"):
        for file in (ROOT / package).rglob("*.py"):
            if not {"cli", "client"} & {*file.parts}:
                yield file


def test_every_verdict_is_explained() -> None:
    known = codes(*VERDICTS) | set(get_args(RefusalCode))
    kinds = {str(each) for each in VerdictKind} - {"refused"}

    assert entries("Verdicts") == known | kinds


def test_every_failure_of_a_step_is_explained() -> None:
    assert entries("Failed steps") == {*get_args(ErrorClass), "not-declared"}


def test_every_reason_why_a_run_needs_a_person_is_explained() -> None:
    assert entries("Runs that stand still") == set(_words(AttentionCode))


def _words(literal: object) -> Iterator[str]:
    for each in get_args(literal):
        yield from [each] if isinstance(each, str) else _words(each)


def test_every_refusal_of_the_api_is_explained() -> None:
    by_status = {"not-found", "wrong-method", "too-large"}

    assert entries("What the API refuses") == codes(*API) - {"refused"} | by_status


def test_what_makes_codes_is_there() -> None:
    assert [each for each in (*API, *VERDICTS) if not any(calls((each,)))] == []
