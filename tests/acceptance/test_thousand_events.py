"""A thousand events while the daemon runs: one verdict each, and the runs there should be."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
import pytest
from nats.js import JetStreamContext

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.envelope import Outgoing, seal
from platform_nats.nkey import UserKey
from stratum_orchestrator.clock import WallClock
from support.daemon import Daemon, running, write_node

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

GOOD, DUPLICATES, BAD_OF_A_KIND = 850, 50, 10
SUBJECT, AUDIENCE = "events.tick", "stratum"
WINDOW_S = 0.2  # the stream forgets ids soon, so that duplicates reach the daemon
DEEP = b"[" * 100 + b"]" * 100


def signed(
    key: UserKey, event_id: str, body: bytes, time_ms: int, audience: str = AUDIENCE
) -> dict[str, str]:
    event = Outgoing(subject=SUBJECT, body=body, event_id=event_id, time_ms=time_ms, headers={})
    return seal(key, audience, event)


def malformed(key: UserKey) -> Iterator[tuple[str, bytes, Mapping[str, str]]]:
    """The expected code, the payload and the headers, in ten different ways."""
    now, stranger = WallClock().now_ms(), UserKey.generate()
    fine = b'{"n":1}'
    for number in range(BAD_OF_A_KIND):
        name = f"bad-{number}"
        yield "unsigned", fine, {"Nats-Msg-Id": f"{name}-0"}
        yield "bad-signature", b'{"n":2}', signed(key, f"{name}-1", fine, now)
        yield "unknown-publisher", fine, signed(stranger, f"{name}-2", fine, now)
        yield "stale", fine, signed(key, f"{name}-3", fine, now - 3_600_000)
        yield (
            "bad-header",
            fine,
            {**signed(key, f"{name}-4", fine, now), "Stratum-Sig-Alg": "x"},
        )
        yield "bad-signature", fine, signed(key, f"{name}-5", fine, now, "elsewhere")
        for kind, body in enumerate((b"{", b'{"n":NaN}', b'{"n":1,"n":2}', DEEP), start=6):
            yield "bad-json", body, signed(key, f"{name}-{kind}", body, now)


async def publish_all(daemon: Daemon) -> Counter[str]:
    """Publish everything mixed; the verdict codes that should come of it."""
    key = UserKey((daemon.home / "keys" / "developer.nk").read_text().strip())
    address = str(daemon.address["nats"])
    wanted: Counter[str] = Counter()
    bad = list(malformed(key))
    async with connect(ConnectionSettings(url=address, seed=key.seed())) as connection:
        jetstream = connection.client.jetstream(timeout=60)
        for number in range(GOOD):
            await publish_good(jetstream, key, number)
            wanted["accepted"] += 1
            if number < len(bad):
                code, body, headers = bad[number]
                await jetstream.publish(SUBJECT, body, headers=dict(headers))
                wanted[code] += 1
        for number in range(DUPLICATES):
            await until_stored_again(jetstream, key, number)
            wanted["duplicate"] += 1
    return wanted


async def publish_good(jetstream: JetStreamContext, key: UserKey, number: int) -> bool:
    body = json.dumps({"n": number}).encode()
    headers = signed(key, f"good-{number}", body, WallClock().now_ms())
    stored = await jetstream.publish(SUBJECT, body, headers=headers)
    return not stored.duplicate


async def until_stored_again(jetstream: JetStreamContext, key: UserKey, number: int) -> None:
    """Publish the same event until the stream has forgotten its id."""
    with anyio.fail_after(60):
        while not await publish_good(jetstream, key, number):  # noqa: ASYNC110 - the stream's
            await anyio.sleep(WINDOW_S / 4)


def pages(daemon: Daemon, path: str, name: str) -> Iterator[dict[str, object]]:
    after = ""
    while True:
        query = f"?limit=200{f'&after={after}' if after else ''}"
        request = urllib.request.Request(f"{daemon.address['http']}{path}{query}")  # noqa: S310
        request.add_header("Authorization", f"Bearer {daemon.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            page = json.load(answer)
        yield from page[name]
        after = page["next"]
        if not after:
            return


async def until_settled(daemon: Daemon, events: int) -> list[dict[str, object]]:
    """Wait until every event has a verdict and no run is under way; the verdicts."""
    with anyio.fail_after(200):
        while True:
            verdicts = list(pages(daemon, "/api/v1/verdicts", "verdicts"))
            status = daemon_status(daemon)
            if len(verdicts) >= events and status["live_runs"] == 0:
                return verdicts
            await anyio.sleep(0.5)


def daemon_status(daemon: Daemon) -> dict[str, object]:
    request = urllib.request.Request(f"{daemon.address['http']}/api/v1/status")  # noqa: S310
    request.add_header("Authorization", f"Bearer {daemon.token}")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        found: dict[str, object] = json.load(answer)
    return found


async def test_each_of_a_thousand_events_gets_one_verdict_and_each_good_one_a_run(
    tmp_path: Path,
) -> None:
    write_node(
        tmp_path,
        "tick",
        'trigger = { pipeline = "tick", subjects = ["events.tick"] }, produces = ["tick"], '
        'handler.script = "run.nu", effect = \'pure, '
        "input_schemas.event = stratum.schema.object { n = stratum.schema.integer }",
    )
    settings = {"STRATUM_NATS__DUPLICATE_WINDOW": f"{round(WINDOW_S * 1000)}ms"}
    with running(tmp_path, settings) as daemon:
        wanted = await publish_all(daemon)
        verdicts = await until_settled(daemon, wanted.total())
        runs = list(pages(daemon, "/api/v1/runs", "runs"))

    assert wanted.total() == 1000
    assert Counter(str(each["code"]) for each in verdicts) == wanted
    assert sorted(int(str(each["sequence"])) for each in verdicts) == list(range(1, 1001))
    assert Counter(str(each["status"]) for each in runs) == {"completed": GOOD}
    first_of = {tuple(each["runs"]) for each in verdicts if each["code"] == "accepted"}  # type: ignore[arg-type]
    again = {tuple(each["runs"]) for each in verdicts if each["code"] == "duplicate"}  # type: ignore[arg-type]
    assert len(again) == DUPLICATES
    assert again <= first_of
