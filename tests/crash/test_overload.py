"""More than the daemon can do, and worse than it should be sent: it stays upright."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.nkey import UserKey
from platform_nats.streams import EVENTS, INTAKE
from stratum_orchestrator.audit.observed import Observed, Peak
from stratum_orchestrator.audit.oracle import check
from stratum_orchestrator.clock import WallClock
from support.daemon import Daemon, running, write_node
from support.http import ask, pages
from support.poison import OPEN, REFUSED_BY_SERVER, Poisoner, good
from support.vitals import vitals
from support.wire import wire

pytestmark = [pytest.mark.crash, pytest.mark.nightly, pytest.mark.timeout(200)]

EVENTS_AT_ONCE = int(os.environ.get("STRATUM_OVERLOAD_EVENTS", "1000"))  # noqa: TID251 - how long to test
POISONED = int(os.environ.get("STRATUM_OVERLOAD_POISONED", "1000"))  # noqa: TID251 - likewise
CAPACITY = 12
GROWTH = 64 << 20
"""Bytes of resident memory; the backlog alone would be more than twice that."""
BALLAST = "x" * 150_000
AUDIENCE = "stratum"
NOT_EVEN_STORED = (
    b"PUB events.../../etc/passwd 0\r\n",
    b"PUB events.two words here 0\r\n",
    b"PUB events." + b"x" * 5_000 + b" 0\r\n",
    b"HPUB events.open 99 1\r\nx",
    b"GET / HTTP/1.1\r\n",
)


@dataclass
class Watched:
    """What was seen of a daemon while it worked off its load."""

    live: list[int] = field(default_factory=list)
    in_hand: list[int] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)

    @property
    def peaks(self) -> Sequence[Peak]:
        """For the oracle."""
        return [
            Peak(what="runs under way", most=max(self.live), allowed=CAPACITY),
            Peak(what="events in hand", most=max(self.in_hand), allowed=CAPACITY),
        ]

    @property
    def grown(self) -> int:
        """Bytes of memory at the most, above what it had after half of its work.

        Until then, the caches of the database fill, which take 64 MiB.
        """
        return max(self.rss) - self.rss[len(self.rss) // 2]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    for name in ("left", "right"):
        write_node(
            tmp_path,
            name,
            f'trigger = {{ pipeline = "{name}", subjects = ["events.both"] }}, '
            f'produces = ["{name}"], handler.script = "run.nu", effect = \'pure',
        )
    for name in ("open", "heavy"):
        write_node(
            tmp_path,
            name,
            f'trigger = {{ pipeline = "{name}", subjects = ["events.{name}"] }}, '
            f'produces = ["{name}"], handler.script = "run.nu", effect = \'pure',
        )
    write_node(
        tmp_path,
        "strict",
        'trigger = { pipeline = "strict", subjects = ["events.strict"] }, '
        'produces = ["strict"], handler.script = "run.nu", effect = \'pure, '
        "input_schemas.event = stratum.schema.object "
        '{ n = stratum.schema.integer, word = stratum.schema.pattern "^(a+)+$" }',
    )
    settings = {"STRATUM_RUNS__CAPACITY": str(CAPACITY), "STRATUM_LOG__LEVEL": "warning"}
    with running(tmp_path, settings) as started:
        yield started


def key(daemon: Daemon, name: str) -> UserKey:
    return UserKey((daemon.home / "keys" / f"{name}.nk").read_text().strip())


async def send(daemon: Daemon, subject: str, events: int) -> list[int]:
    """Publish good events as fast as the server takes them; their places in the stream."""
    ours, now_ms = key(daemon, "developer"), WallClock().now_ms()
    data = {"ballast": BALLAST}
    messages = [
        good(ours, AUDIENCE, subject, data, (f"{subject}-{number}", now_ms))
        for number in range(events)
    ]
    async with wire(str(daemon.address["nats"]), ours) as server:
        return [int(str(answer["seq"])) for answer in await server.publish(messages)]


async def settled(daemon: Daemon, events: int) -> Watched:
    """Watch until the last event has its verdict and no run is under way."""
    seen = Watched()
    who = ConnectionSettings(url=str(daemon.address["nats"]), seed=key(daemon, "daemon").seed())
    async with connect(who) as connection:
        while True:
            status = await to_thread.run_sync(ask, daemon, "/api/v1/status")
            intake = await connection.jetstream.consumer_info(EVENTS, INTAKE)
            seen.live.append(int(str(status["live_runs"])))
            seen.in_hand.append(intake.num_ack_pending or 0)
            seen.rss.append(vitals(daemon.pid).rss)
            judged = intake.ack_floor.stream_seq if intake.ack_floor else 0
            if judged == events and not seen.live[-1]:
                return seen
            await anyio.sleep(0.1)


def verdicts(daemon: Daemon) -> list[dict[str, object]]:
    """All of them, oldest event first."""
    return sorted(
        pages(daemon, "/api/v1/verdicts", "verdicts"),
        key=lambda each: int(str(each["sequence"])),
    )


def statuses(daemon: Daemon) -> Counter[str]:
    return Counter(str(run["status"]) for run in pages(daemon, "/api/v1/runs", "runs"))


def begins(daemon: Daemon) -> list[str]:
    """When each run began, in the order of their events."""
    runs = {run["run"]: str(run["started"]) for run in pages(daemon, "/api/v1/runs", "runs")}
    return [runs[run] for each in verdicts(daemon) for run in each["runs"]]  # type: ignore[attr-defined]


def overtaken(moments: Sequence[str], window: int) -> list[int]:
    """Places before which something began that is more than a window younger."""
    return [
        place
        for place, moment in enumerate(moments)
        if any(later < moment for later in moments[place + window :])
    ]


async def test_more_than_it_can_do_waits_in_the_stream_and_not_in_the_daemon(
    daemon: Daemon,
) -> None:
    sequences = await send(daemon, "events.heavy", EVENTS_AT_ONCE)

    seen = await settled(daemon, EVENTS_AT_ONCE)

    assert sequences == list(range(1, EVENTS_AT_ONCE + 1))
    assert [each["code"] for each in verdicts(daemon)] == ["accepted"] * EVENTS_AT_ONCE
    assert statuses(daemon) == {"completed": EVENTS_AT_ONCE}
    assert check(Observed(trails=(), journals={}, peaks=seen.peaks)) == ()
    assert seen.grown < GROWTH
    assert overtaken(begins(daemon), CAPACITY) == []


async def test_events_that_open_several_pipelines_keep_to_the_capacity_too(
    daemon: Daemon,
) -> None:
    await send(daemon, "events.both", 10 * CAPACITY)

    seen = await settled(daemon, 10 * CAPACITY)

    assert max(seen.live) <= CAPACITY
    assert statuses(daemon) == {"completed": 20 * CAPACITY}


async def test_poison_gets_its_verdicts_and_holds_up_nobody(daemon: Daemon) -> None:
    ours, clock = key(daemon, "developer"), WallClock()
    poison = Poisoner(ours, AUDIENCE, clock.now_ms, seed=7).make(POISONED)
    mixed = [(each.code, each.message) for each in poison]
    for number in range(POISONED // 10):
        event = (f"good-{number}", clock.now_ms())
        mixed.insert(11 * number, ("accepted", good(ours, AUDIENCE, OPEN, {}, event)))

    async with wire(str(daemon.address["nats"]), ours) as server:
        answers = await server.publish([message for _, message in mixed])
    for raw in NOT_EVEN_STORED:
        async with wire(str(daemon.address["nats"]), ours) as server:
            assert await server.is_refused(raw)
    sent = zip([code for code, _ in mixed], answers, strict=True)
    stored = [(answer["seq"], code) for code, answer in sent if "error" not in answer]
    wanted = dict(stored)
    await settled(daemon, len(wanted))

    found = verdicts(daemon)
    assert {each["sequence"]: each["code"] for each in found} == wanted
    assert len(found) == len(wanted) == len(stored)
    assert statuses(daemon) == {"completed": list(wanted.values()).count("accepted")}
    assert {code for code, _ in mixed} - set(wanted.values()) == {REFUSED_BY_SERVER}
