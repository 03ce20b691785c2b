"""Signed events over HTTP, to a real daemon and its real broker."""

import base64
import time
from collections.abc import Iterator

import pytest

from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from stratum_orchestrator.client import Client, Refused
from support.daemon import Daemon, greeting, with_patience
from support.http import Answer, ask

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with greeting(tmp_path_factory.mktemp("project")) as up:
        yield up


def signed(daemon: Daemon, subject: str, event_id: str) -> dict[str, object]:
    """An event as its publisher signs it, in the form that the API takes."""
    key = UserKey((daemon.home / "keys" / "developer.nk").read_text().strip())
    event = Outgoing(
        subject=subject,
        body=b'{"name":"ada"}',
        event_id=event_id,
        time_ms=time.time_ns() // 1_000_000,
        headers={"Content-Type": "application/json"},
    )
    headers = seal(key, str(daemon.address["audience"]), event)
    data = base64.b64encode(event.body).decode()
    return {"subject": subject, "headers": headers, "data": data}


def verdict(daemon: Daemon, told: Answer) -> Answer:
    return ask(daemon, f"{told['verdict']}?wait=30")


def test_a_signed_event_opens_a_run(daemon: Daemon) -> None:
    told = ask(daemon, "/api/v1/events", signed(daemon, "events.greet", "http-1"))

    assert verdict(daemon, told)["kind"] == "accepted"


def test_an_altered_event_is_refused_and_on_record(daemon: Daemon) -> None:
    event = signed(daemon, "events.greet", "http-2")

    told = ask(daemon, "/api/v1/events", event | {"data": base64.b64encode(b"{}").decode()})

    found = verdict(daemon, told)
    assert (found["kind"], found["code"]) == ("refused", "bad-signature")


def test_an_id_that_is_stored_already_makes_no_second_event(daemon: Daemon) -> None:
    event = signed(daemon, "events.greet", "http-3")
    ask(daemon, "/api/v1/events", event)

    again = ask(daemon, "/api/v1/events", event, okay={409})

    assert again["code"] == "duplicate-id"


@pytest.mark.parametrize(
    "subject", ["$JS.API.STREAM.DELETE.STRATUM_EVT", "elsewhere", "events.>", "", "events..x"]
)
def test_what_is_no_subject_of_events_is_not_published(daemon: Daemon, subject: str) -> None:
    event = signed(daemon, "events.greet", "http-4") | {"subject": subject}

    refused = ask(daemon, "/api/v1/events", event, okay={400})

    assert refused["code"] == "bad-subject"


def test_an_agent_calls_back_with_a_token_and_json_alone(daemon: Daemon) -> None:
    words = ("--kind", "agent", "--group", "publishers")
    key = daemon.answer("principals", "add", "robot", *words)["key"]
    token = daemon.answer("tokens", "add", "at-work", "--principal", "robot")["token"]
    robot = Client(str(daemon.address["http"]), str(token))
    until_known(robot)

    stored = robot.emit("events.greet", {"name": "ada"}, event_id="callback-1")

    found = robot.verdict(stored.sequence, wait_s=30)
    assert (found.kind, found.publisher) == ("accepted", key)
    assert robot.wait(found.runs[0], 30).status == "completed"
    with pytest.raises(Refused, match="callback-1"):
        robot.emit("events.greet", {"name": "ada"}, event_id="callback-1")


def test_who_was_just_added_publishes_at_once(daemon: Daemon) -> None:
    daemon.cli("principals", "add", "late", "--group", "publishers", wanted=0)

    told = daemon.answer("emit", "events.greet", "--as", "late", "--wait")

    assert told["status"] == "completed"


def until_known(who: Client) -> None:
    """The daemon notices new principals by itself, a moment later."""
    while True:
        try:
            who.ask("/whoami", object)
        except Refused:
            with_patience()
        else:
            return


def test_nobody_is_signed_for_whose_key_is_elsewhere(daemon: Daemon) -> None:
    operator = Client(str(daemon.address["http"]), daemon.token)

    with pytest.raises(Refused, match="no key of operator"):
        operator.emit("events.greet", {"name": "ada"})
