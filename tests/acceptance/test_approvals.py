"""People are asked before a step, by the real daemon: the example, and more."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from platform_nats.nkey import UserKey
from stratum_orchestrator.auth import tokens
from stratum_orchestrator.auth.access import Access
from stratum_orchestrator.auth.roster import Change, amend
from stratum_orchestrator.cli import keyring
from stratum_orchestrator.client import Client
from stratum_orchestrator.client.answers import Run
from stratum_orchestrator.client.errors import Refused
from support.daemon import Daemon, running, write_node
from support.scripts import PROJECT
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

PEOPLE = {
    "ada": ("publishers", "operators", "release"),
    "ben": ("operators", "release"),
    "cyd": ("operators", "release"),
    "eve": ("operators",),
}


@dataclass
class Place:
    """The one daemon, and people with tokens."""

    daemon: Daemon
    tokens: Mapping[str, str] = field(default_factory=dict)

    def seen_by(self, name: str) -> Client:
        return Client(str(self.daemon.address["http"]), self.tokens[name])

    def begin(self, subject: str, **data: object) -> str:
        """The run of an event by ada, once it is suspended."""
        ada = self.seen_by("ada")
        stored = ada.emit(subject, data)
        [run] = ada.verdict(stored.sequence, wait_s=20).runs
        self.until(run, "suspended")
        return run

    def until(self, run: str, status: str) -> Run:
        ben = self.seen_by("ben")
        found = ben.run(run)
        while found.status != status:
            assert not found.is_over, found.cause
            found = ben.run(run, seen=found.change, wait_s=20)
        return found

    def refused(self, who: str, run: str, node: str, verb: str = "approve") -> tuple[int, str]:
        with pytest.raises(Refused) as why:
            getattr(self.seen_by(who), verb)(run, node, "a test")
        return why.value.status, why.value.code

    def ended(self, run: str) -> Run:
        """The run at its end."""
        return self.seen_by("ben").wait(run, 60)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "examples" / "approval" / "nodes", project / "nodes")
    for name, more in (("brief", "on_timeout = 'reject"), ("mute", "on_timeout = 'approve")):
        declared = (
            f'trigger = {{ pipeline = "{name}", subjects = ["events.{name}"] }}, '
            f'produces = ["{name}"], handler.script = "run.nu", effect = \'pure, '
            f'ask = {{ groups = ["release"], timeout = "1s", {more} }}'
        )
        write_node(project, name, declared)
    made = let_in(project / ".stratum")
    with running(project) as daemon:
        yield Place(daemon, made)
        daemon.cli("audit", "verify", "--all", wanted=0)


def let_in(home: Path) -> Mapping[str, str]:
    """Make the people known before the daemon is; their tokens."""
    access, made = Access.at(home / "access"), {}
    for name, groups in PEOPLE.items():
        key = UserKey.generate()
        keyring.write(home / "keys" / f"{name}.nk", key)
        who = Change(name=name, key=key.public, kind="user", active=True, groups=groups)
        amend(access.principals, who)
        _, made[name] = tokens.add(access.tokens, name, name, 0, None)
    return made


def test_two_who_are_asked_let_a_step_begin_and_nobody_else_does(
    place: Place, tmp_path: Path
) -> None:
    theirs = tmp_path / "cyd.token"
    theirs.write_text(place.tokens["cyd"] + "\n")
    run = place.begin("events.shop.tagged", version="1")

    assert place.refused("eve", run, "roll-out") == (403, "denied")
    assert place.refused("ada", run, "roll-out") == (403, "denied")
    first = place.seen_by("ben").approve(run, "roll-out")
    assert place.refused("ben", run, "roll-out") == (409, "answered")
    assert place.refused("ben", run, "build-image") == (409, "no-question")
    words = ("--reason", "seen it", "--token", str(theirs))
    place.daemon.cli("run", "approve", run, "roll-out", *words, wanted=0)

    ended = place.ended(run)
    assert "1 of 2 have approved" in first.detail
    assert ended.status == "completed"
    [question] = ended.checkpoints
    assert [each.person for each in question.answers] == ["ben", "cyd"]
    assert place.refused("ben", run, "roll-out", "reject") == (409, "question-closed")


def test_one_rejection_undoes_what_has_happened(place: Place) -> None:
    run = place.begin("events.shop.tagged", version="2")
    image = place.daemon.home / "pipelines" / "rollout" / "shop-2.image"
    assert image.exists()

    place.seen_by("cyd").reject(run, "roll-out", "not on a Friday")

    ended = place.ended(run)
    assert (ended.status, ended.compensation) == ("compensated", "clean")
    assert ended.cause == "roll-out rejected by cyd: not on a Friday"
    assert not image.exists()


def test_a_question_outlives_the_daemon_with_its_answers(place: Place) -> None:
    run = place.begin("events.shop.tagged", version="3")
    place.seen_by("ben").approve(run, "roll-out")
    before = place.seen_by("ben").run(run).checkpoints

    place.daemon.kill()
    place.daemon.start()

    assert place.seen_by("ben").run(run).checkpoints == before
    assert place.refused("ben", run, "roll-out") == (409, "answered")
    place.seen_by("cyd").approve(run, "roll-out")
    assert place.ended(run).status == "completed"


@pytest.mark.parametrize(
    ("subject", "status"), [("events.brief", "compensated"), ("events.mute", "completed")]
)
def test_when_nobody_answers_in_time_it_comes_to_what_the_node_says(
    place: Place, subject: str, status: str
) -> None:
    ada = place.seen_by("ada")
    [run] = ada.verdict(ada.emit(subject, {}).sequence, wait_s=20).runs

    ended = place.ended(run)

    assert ended.status == status
    assert [each.status for each in ended.checkpoints] == ["timed-out"]


async def test_whoever_is_asked_learns_of_it_in_many_ways(place: Place) -> None:
    run = place.begin("events.shop.tagged", version="4")
    inbox = place.daemon.home / "pipelines" / "page-team" / "inbox"
    line = f"release: stratum run approve {run} roll-out\n"

    await until(lambda: inbox.exists() and line in inbox.read_text())
    shown = place.daemon.cli("run", "show", run, wanted=0).stdout
    needy = place.daemon.cli("runs", "--attention", "--output", "json", wanted=0)
    listed = [each.run for each in place.seen_by("ben").checkpoints()]
    planned = place.daemon.cli("plan", "events.shop.tagged", wanted=0).stdout
    place.seen_by("ben").cancel(run, "enough")

    assert "asked" in shown
    assert "2 of release" in shown
    assert (run, "asked") in [
        (each["run"], each["attention"]["code"]) for each in json.loads(needy.stdout)
    ]
    assert run in listed
    assert "asks 2 of release, 2h" in planned
    assert place.ended(run).checkpoints[0].status == "withdrawn"


def test_an_operator_in_none_of_the_groups_is_told_so(place: Place) -> None:
    run = place.begin("events.shop.tagged", version="5")

    done = place.daemon.cli("run", "approve", run, "roll-out")
    place.seen_by("ben").cancel(run, "enough")

    assert done.returncode == 4
    assert "operator is in none of the groups that are asked: release" in done.stderr
    assert place.ended(run).status == "compensated"
