"""Three planes stand before a step: keys, policies, credentials. None stands in for another."""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import anyio
import pytest

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.envelope import Outgoing, seal
from platform_nats.errors import NotAuthorized, NotPermitted
from platform_nats.nkey import UserKey
from platform_nats.publisher import Publisher, publisher
from stratum_orchestrator.cli.exits import Exit
from support.daemon import Daemon, running, with_patience, write_node
from support.http import ask, until_over
from support.wait import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

_WAITS = """
def main [] {
  while not ('GATE' | path exists) { sleep 50ms }
  { first: 1 } | to json --raw
}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Two pipelines, one of which needs credentials that nobody lends; ada, eve and a bot."""
    project = tmp_path_factory.mktemp("project")
    write_node(project, "mail", _node("mail", 'produces = ["mail"], effect = \'pure'))
    lent = 'credentials = [{ name = "key", env = "KEY", path = "kv/mail", field = "key" }]'
    write_node(project, "bill", _node("bill", f'produces = ["bill"], effect = \'pure, {lent}'))
    first = _WAITS.replace("GATE", str(project / "gate"))
    write_node(project, "first", _node("slow", 'produces = ["first"]'), run=first, undo=_UNDO)
    write_node(project, "second", 'consumes = ["first"], handler.script = "run.nu"')
    settings = {
        "STRATUM_CREDENTIALS__PROVIDER": "none",
        "STRATUM_EXECUTION__LEVEL": "limits",
    }
    with running(project, settings) as up:
        up.cli("principals", "add", "ada", "--group", "publishers", wanted=0)
        up.cli("principals", "add", "eve", wanted=0)
        up.cli("principals", "add", "bot", "--kind", "agent", wanted=0)
        up.cli(
            "principals",
            "add",
            "narrow",
            "--group",
            "publishers",
            "--subject",
            "events.bill",
            wanted=0,
        )
        until_let_in(up, "narrow")
        yield up


_EVES = ("--principal", "eve", "--action", "reload", "--output", "json")
_UNDO = "def main [] { }"


def _node(pipeline: str, more: str) -> str:
    undo = ', compensate.script = "undo.nu"' if pipeline == "slow" else ""
    return (
        f'trigger = {{ pipeline = "{pipeline}", subjects = ["events.{pipeline}"] }}, '
        f'handler.script = "run.nu", {more}{undo}'
    )


def key_of(daemon: Daemon, name: str) -> UserKey:
    return UserKey((daemon.home / "keys" / f"{name}.nk").read_text())


def until_let_in(daemon: Daemon, name: str) -> None:
    """The daemon notices changes by itself, a moment later."""
    seed, url = key_of(daemon, name).seed(), str(daemon.address["nats"])

    async def come_in() -> None:
        async with connect(ConnectionSettings(url=url, seed=seed)):
            pass

    deadline = time.monotonic() + 20
    while True:
        try:
            anyio.run(come_in)
        except NotAuthorized:
            assert time.monotonic() < deadline, daemon.log
            with_patience()
        else:
            return


@dataclass
class Sent:
    """A signed event before it is published."""

    key: UserKey
    subject: str = "events.mail"
    body: bytes = b"{}"
    grant: str = ""

    def headers(self) -> Mapping[str, str]:
        now = time.time_ns() // 1_000_000
        outgoing = Outgoing(
            subject=self.subject,
            body=self.body,
            event_id=f"e-{time.time_ns()}",
            time_ms=now,
            headers={"Stratum-Grant": self.grant} if self.grant else {},
        )
        return seal(self.key, "stratum", outgoing)


def verdict(
    daemon: Daemon, sent: Sent, *, by: str = "daemon", body: bytes | None = None
) -> dict[str, object]:
    """What becomes of the event when it is published over the connection of `by`."""

    async def publish() -> int:
        seed, url = key_of(daemon, by).seed(), str(daemon.address["nats"])
        async with connect(ConnectionSettings(url=url, seed=seed)) as connection:
            carrier = Publisher(connection, "stratum")
            payload = sent.body if body is None else body
            return (await carrier.relay(sent.subject, sent.headers(), payload)).sequence

    return ask(daemon, f"/api/v1/verdicts/{anyio.run(publish)}?wait=20")


def test_with_all_planes_satisfied_a_run_begins(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(key_of(daemon, "ada")), by="ada")

    assert told["kind"] == "accepted"


def test_a_good_key_and_signature_do_not_make_a_permission(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(key_of(daemon, "eve")), by="eve")

    assert (told["code"], told["runs"]) == ("denied", [])


def test_a_permission_does_not_make_a_signature(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(key_of(daemon, "ada")), by="ada", body=b'{"forged":1}')

    assert (told["code"], told["runs"]) == ("bad-signature", [])


def test_a_good_connection_does_not_make_a_signature(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(UserKey.generate()), by="ada")

    assert (told["code"], told["runs"]) == ("unknown-publisher", [])


def test_a_signature_does_not_make_a_connection(daemon: Daemon) -> None:
    daemon.cli("keys", "new", "stranger", wanted=0)

    with pytest.raises(NotAuthorized):
        verdict(daemon, Sent(key_of(daemon, "ada")), by="stranger")


def test_key_and_permission_do_not_make_credentials(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(key_of(daemon, "ada"), subject="events.bill"), by="ada")

    assert (told["code"], told["runs"]) == ("no-credentials", [])
    assert "no provider is configured" in str(told["reason"])


def test_where_credentials_lack_the_permission_is_asked_for_first(daemon: Daemon) -> None:
    told = verdict(daemon, Sent(key_of(daemon, "eve"), subject="events.bill"), by="eve")

    assert told["code"] == "denied"


def test_where_credentials_lack_the_signature_is_checked_first(daemon: Daemon) -> None:
    sent = Sent(key_of(daemon, "ada"), subject="events.bill")

    assert verdict(daemon, sent, body=b'{"forged":1}')["code"] == "bad-signature"


def test_subjects_are_fenced_by_the_broker_and_at_the_door(daemon: Daemon) -> None:
    key, url = key_of(daemon, "narrow"), str(daemon.address["nats"])

    async def publish() -> None:
        async with publisher(url, key.seed(), "stratum") as out:
            await out.publish("events.mail", {})

    with pytest.raises(NotPermitted):
        anyio.run(publish)
    assert verdict(daemon, Sent(key))["code"] == "forbidden-subject"


def test_a_token_is_a_principal_and_no_permission(daemon: Daemon) -> None:
    made = daemon.answer("tokens", "add", "eves", "--principal", "eve")
    operator = daemon.token
    token = daemon.home / "run" / "token"

    try:
        token.write_text(str(made["token"]))
        me = ask(daemon, "/api/v1/whoami")
        status = ask(daemon, "/api/v1/status", okay={403})
        daemon.cli("reload", "--reason", "let me", wanted=Exit.REFUSED)
    finally:
        token.write_text(operator)
    [denied] = json.loads(daemon.cli("audit", "decisions", *_EVES, wanted=0).stdout)

    assert (me["principal"], me["token"]) == ("eve", "eves")
    assert status["code"] == "denied"
    assert (denied["action"], denied["answer"], denied["count"]) == ("reload", "denied", 1)
    assert denied["authorization"]["policy_set"].startswith("sha256:")


def test_a_rotated_key_overlaps_and_a_revoked_one_is_dropped(daemon: Daemon) -> None:
    daemon.cli("principals", "add", "rota", "--group", "publishers", wanted=0)
    until_let_in(daemon, "rota")
    former = key_of(daemon, "rota")

    async def dropped() -> None:
        seed, url = former.seed(), str(daemon.address["nats"])
        async with connect(ConnectionSettings(url=url, seed=seed)) as connection:
            await anyio.to_thread.run_sync(
                lambda: daemon.cli("keys", "revoke", former.public, wanted=0)
            )
            await until(lambda: connection.refusal() is not None or connection.closed.is_set())

    daemon.cli("keys", "rotate", "rota", wanted=0)
    until_let_in(daemon, "rota")
    both = [verdict(daemon, Sent(key))["kind"] for key in (former, key_of(daemon, "rota"))]
    anyio.run(dropped)
    after = verdict(daemon, Sent(former))

    assert both == ["accepted", "accepted"]
    assert after["code"] == "revoked-key"
    assert key_of(daemon, "rota").public in str(after["reason"])


def test_a_revoked_grant_turns_its_run_back(daemon: Daemon) -> None:
    signing = ("grants", "sign", "--to", "bot", "--as", "ada", "--pipeline", "slow")
    signed = daemon.answer(*signing)
    bot = key_of(daemon, "bot")
    alone = verdict(daemon, Sent(bot, subject="events.slow"), by="bot")

    sent = Sent(bot, subject="events.slow", grant=str(signed["text"]))
    told = verdict(daemon, sent, by="bot")
    daemon.cli("grants", "revoke", str(signed["id"]), wanted=0)
    (daemon.project / "gate").touch()
    [run_id] = told["runs"]  # type: ignore[misc]
    run = until_over(daemon, run_id)
    journal = json.dumps(ask(daemon, f"/api/v1/runs/{run['run']}/journal"))

    assert alone["code"] == "denied"
    assert told["kind"] == "accepted"
    assert (run["status"], run["compensation"]) == ("compensated", "clean")
    assert f"grant {signed['id']} of ada does not hold any more: it was revoked" in str(
        run["cause"]
    )
    assert str(signed["id"]) in journal


def test_a_register_that_cannot_be_read_changes_nobody(daemon: Daemon) -> None:
    register = daemon.home / "access" / "principals.json"
    before = register.read_text()

    try:
        register.write_text("{")
        told = until_checked(daemon, "stay in force")
        still = verdict(daemon, Sent(key_of(daemon, "ada")), by="ada")
    finally:
        register.write_text(before)

    assert "principals.json cannot be used" in told
    assert still["kind"] == "accepted"
    assert until_checked(daemon, "principals ok\n")


def until_checked(daemon: Daemon, words: str) -> str:
    """What readiness says, once these words are in it."""
    deadline = time.monotonic() + 20
    while True:
        url = f"{daemon.address['http']}/readyz?verbose"
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - loopback
            told: str = answer.read().decode()
        if words in told:
            return told
        assert time.monotonic() < deadline, told
        with_patience()
