"""I24: what people were asked is judged by the journal, and each lie about it is found."""

import json
from collections.abc import Callable

import anyio
import pytest

from stratum_graph.model import Ask, Principal
from stratum_orchestrator.audit.approval import check_questions
from stratum_orchestrator.audit.chronicle import Chronicle
from stratum_orchestrator.saga.delegation import Asker
from stratum_orchestrator.saga.instruction import Wish
from stratum_state import journal
from stratum_state.journal import EMPTY, Head
from support.graph import node
from support.operators import desk
from support.runner import ScriptedRunner
from support.saga import World

Entry = dict[str, object]
Lie = Callable[[list[Entry]], list[Entry]]
NODES = [
    node("build", gives="built", on="events.go"),
    node("deploy", needs="built", ask=Ask(groups=("release",), count=2, timeout=60)),
]
FRAME = ("run", "n", "prev")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def told() -> tuple[World, list[Entry]]:
    """A run about which two people are asked, as its journal tells it."""
    around = World(NODES, ScriptedRunner(outputs={"build": {"built": 1}}))
    async with desk(around) as at:
        run = await at.accept()
        with anyio.fail_after(5):
            while run not in at.live.recess:
                await anyio.lowlevel.checkpoint()
        for name in ("ada", "ben"):
            who = Principal(key=f"U{name}", name=name, groups=("release",))
            wish = Wish(by=name, reason="", asker=Asker(principal=who))
            await at.operations.approve(run, "deploy", wish)
    return around, [json.loads(each.body) for each in await around.store.journal(run)]


def judged(around: World, entries: list[Entry]) -> list[str]:
    """What is wrong with a journal of these entries, chained anew."""
    lines, head, run = [], EMPTY, str(entries[0]["run"])
    for each in entries:
        facts = {name: value for name, value in each.items() if name not in FRAME}
        at, kind = int(str(facts.pop("at"))), str(facts.pop("kind"))
        line = journal.line(journal.Entry(run, at, kind, facts), head)
        lines.append(line)
        head = Head(line.n, line.hash)
    [plan] = around.generation.plans("events.go")
    return [each.detail for each in check_questions(Chronicle.of(run, lines), plan)]


def without(kind: str) -> Lie:
    return lambda entries: [each for each in entries if each["kind"] != kind]


def altered(what: str, /, **facts: object) -> Lie:
    return lambda entries: [each | facts if each["kind"] == what else each for each in entries]


def only_one_voice(entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each.get("person") != "ben"]


def late(entries: list[Entry]) -> list[Entry]:
    [deadline] = [each["deadline"] for each in entries if "deadline" in each]
    return altered("answer.approved", answered=deadline)(entries)


def one_person(entries: list[Entry]) -> list[Entry]:
    changed = altered("answer.approved", person="ada")(entries)
    return [
        each | {"instruction": str(each["instruction"]).replace('"ben"', '"ada"')}
        if "person" in each
        else each
        for each in changed
    ]


LIES: dict[str, tuple[str, Lie]] = {
    "nobody was asked": (
        "deploy begins, and nobody was asked",
        lambda entries: [
            each for each in entries if not str(each["kind"]).startswith(("check", "answer"))
        ],
    ),
    "one of two": ("deploy is approved, though 1 approvals are missing", only_one_voice),
    "the same person twice": ("ada answers twice about deploy", one_person),
    "too late": ("ada answers too late", late),
    "fewer than the plan wants": (
        "it asks otherwise about deploy than its plan says",
        altered("checkpoint.open", count=1),
    ),
    "others than the plan wants": (
        "it asks otherwise about deploy than its plan says",
        altered("checkpoint.open", groups=["friends"]),
    ),
    "about another plan": (
        "ada answers about another plan",
        altered("answer.approved", plan="sha256:other"),
    ),
    "by nobody's leave": (
        "what ada said about deploy is not what is allowed",
        altered("answer.approved", instruction="{}"),
    ),
    "begun before it is granted": (
        "deploy begins, though its question is open",
        without("checkpoint.approved"),
    ),
    "suspended without a question": (
        "it is suspended, though it asks nothing",
        without("checkpoint.open"),
    ),
    "rejected by nobody": (
        "deploy is rejected, though nobody did that",
        altered("checkpoint.approved", kind="checkpoint.rejected"),
    ),
    "timed out before its time": (
        "deploy is timed out before its deadline",
        altered("checkpoint.approved", kind="checkpoint.timed-out"),
    ),
    "ended with an open question": (
        "it is completed, but still asks about deploy",
        without("checkpoint.approved"),
    ),
}


async def test_an_honest_journal_is_as_it_should_be(told: tuple[World, list[Entry]]) -> None:
    around, entries = told

    assert judged(around, entries) == []


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_about_an_approval_is_found(
    name: str, told: tuple[World, list[Entry]]
) -> None:
    around, entries = told
    expected, lie = LIES[name]

    assert expected in judged(around, lie(entries))
