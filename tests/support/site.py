"""A daemon, its broker and its database, with a wire to cut before each of the two."""

import json
import os
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
from anyio.to_thread import run_sync

from platform_nats.connection import ConnectionSettings, connect
from platform_nats.publisher import Publisher
from support import bridge as surreal, proxy
from support.broker import AUDIENCE, Broker, run_broker
from support.daemon import Daemon, write_node
from support.http import Answer, ask, pages
from support.processes import descendants, program as running
from support.proxy import Proxy

_TICKS = os.sysconf("SC_CLK_TCK")
_NOTES = """
def main [] {
  let step = $in | from json | get step
  $"($step.idempotency_key)\\n" | save --raw --append LOG
  WAIT
  { NAME: 1 } | to json --raw
}
"""
_GATE = "while not ('GATE' | path exists) { sleep 50ms }"


class Site:
    """Where the daemon works: two pipelines of two nodes that note what they do.

    `events.quick` opens the one that goes straight on, `events.gated` the one whose first node
    waits until the gate is open.
    """

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.broker = broker
        self.effects_file = folder / "effects"
        self.gate = folder / "gate"
        self.effects_file.touch()
        self._write_definitions()
        (folder / "daemon.nk").write_text(broker.daemon.seed())
        (folder / "principals.ncl").write_text(
            f'[{{ key = "{broker.publisher.public}", name = "p", groups = ["publishers"] }}]'
        )
        self.settings = {
            "STRATUM_NATS__URL": broker.url,
            "STRATUM_NATS__SEED_FILE": str(folder / "daemon.nk"),
            "STRATUM_NATS__AUDIENCE": AUDIENCE,
            "STRATUM_DEFINITIONS__FOLDERS": json.dumps([str(folder / "nodes")]),
            "STRATUM_DEFINITIONS__CONTENT": str(folder / "content"),
            "STRATUM_DEFINITIONS__PRINCIPALS": str(folder / "principals.ncl"),
            "STRATUM_RUNS__GRACE": "0",
        }
        self.members: list[Daemon] = []

    @property
    def daemon(self) -> Daemon:
        return self.members[0]

    def _write_definitions(self) -> None:
        for pipeline, wait in (("quick", ""), ("gated", _GATE)):
            first, second = f"{pipeline}-one", f"{pipeline}-two"
            started = (
                f'trigger = {{ pipeline = "{pipeline}", subjects = ["events.{pipeline}"] }}'
            )
            self._write(first, started, wait)
            self._write(second, f'consumes = ["{first}"]', "")

    def _write(self, name: str, begins: str, wait: str) -> None:
        run = _NOTES.replace("WAIT", wait).replace("LOG", str(self.effects_file))
        write_node(
            self.folder,
            name,
            f'{begins}, produces = ["{name}"], effect = \'external, '
            f'handler = {{ script = "run.nu", write = ["{self.effects_file}"] }}, '
            'compensate.script = "undo.nu"',
            run=run.replace("NAME", f'"{name}"').replace("GATE", str(self.gate)),
            undo="def main [] { }",
        )

    def use_broker_at(self, port: int) -> None:
        self.settings["STRATUM_NATS__URL"] = f"nats://127.0.0.1:{port}"

    def use_own_broker(self) -> None:
        """Let daemons run a broker themselves, and let its developer in."""
        for each in ("URL", "SEED_FILE", "AUDIENCE"):
            del self.settings[f"STRATUM_NATS__{each}"]
        del self.settings["STRATUM_DEFINITIONS__PRINCIPALS"]

    @asynccontextmanager
    async def developer(self, within_s: float = 30) -> AsyncIterator[Publisher]:
        """Publish to the daemon's own broker."""
        seed = (self.daemon.home / "keys" / "developer.nk").read_text().strip()
        url = str(self.daemon.address["nats"])
        async with connect(ConnectionSettings(url=url, seed=seed)) as connection:
            yield Publisher(connection, "stratum", within_s=within_s)

    def use_database(self, server: surreal.Bridge, port: int) -> None:
        """A database server, reached at another port than its own."""
        (self.folder / "password").write_text(server.server.password or "")
        self.settings |= {
            "STRATUM_SURREALDB__URL": f"ws://127.0.0.1:{port}",
            "STRATUM_SURREALDB__USER": server.server.user or "",
            "STRATUM_SURREALDB__PASSWORD_FILE": str(self.folder / "password"),
            "STRATUM_SURREALDB__NAMESPACE": server.server.namespace,
            "STRATUM_SURREALDB__DATABASE": server.server.database,
        }

    def member(self, settings: Mapping[str, str] | None = None) -> Daemon:
        """One more daemon, not started yet."""
        project = self.folder / f"instance-{len(self.members)}"
        project.mkdir()
        self.members.append(
            Daemon(project, self.settings | dict(settings or {}), around=self.folder)
        )
        return self.members[-1]

    def lines(self) -> int:
        """How much the daemon has said."""
        return len(self.daemon.log.splitlines())

    def child(self, program: str) -> int:
        """The daemon's process that runs the program."""
        [found] = [pid for pid in descendants(self.daemon.pid) if running(pid) == program]
        return found

    def open_gate(self) -> None:
        self.gate.touch()

    def effects(self) -> Counter[str]:
        return Counter(self.effects_file.read_text().splitlines())

    async def publish(self, subject: str, count: int) -> None:
        """Return when the broker has acknowledged them all."""
        async with self.broker.publish_as() as events:
            for number in range(count):
                await events.publish(subject, {"n": number})

    async def runs(self) -> list[Answer]:
        return await run_sync(lambda: list(pages(self.daemon, "/api/v1/runs", "runs")))

    async def under_way(self, count: int) -> None:
        """Wait until so many runs are waiting before the gate."""
        with anyio.fail_after(60):
            while self.effects().total() < count:  # noqa: ASYNC110 - in other processes
                await anyio.sleep(0.05)

    async def all_ended(self, count: int) -> list[Answer]:
        """Wait until there are so many runs, and none of them is under way."""
        with anyio.fail_after(90):
            while True:
                found = await self.runs()
                if len(found) >= count and all(each["ended"] for each in found):
                    return found
                await anyio.sleep(0.2)

    async def all_completed(self, count: int, *, once: bool = True) -> None:
        """Wait until the runs have ended; each of them well, every step a success once."""
        found = await self.all_ended(count)
        assert Counter(each["status"] for each in found) == {"completed": count}
        for each in found:
            shown = await run_sync(ask, self.daemon, f"/api/v1/runs/{each['run']}")
            steps = cast("list[dict[str, str]]", shown["steps"])
            good = sorted(step["node"] for step in steps if step["status"] == "succeeded")
            assert good == [f"{each['pipeline']}-one", f"{each['pipeline']}-two"]
        effects = self.effects()
        assert len(effects) == 2 * count
        assert not once or effects.total() == 2 * count


async def failing(daemon: Daemon) -> tuple[str, ...]:
    """The names of the checks that do not hold, which `/readyz` must agree with."""
    return await run_sync(_failing, daemon)


def _failing(daemon: Daemon) -> tuple[str, ...]:
    request = urllib.request.Request(f"{daemon.address['http']}/readyz?verbose")  # noqa: S310
    request.add_header("Accept", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            told, code = json.load(answer), answer.status
    except urllib.error.HTTPError as refused:
        told, code = json.load(refused), refused.code
    failed = tuple(str(each["name"]) for each in told["checks"] if not each["ok"])
    assert code == (503 if failed else 200)
    return failed


async def until_failing(daemon: Daemon, *names: str, within: float = 20) -> None:
    """Wait until exactly these checks do not hold."""
    found: tuple[str, ...] = ()
    try:
        with anyio.fail_after(within):
            while (found := await failing(daemon)) != names:  # noqa: ASYNC110 - in others
                await anyio.sleep(0.1)
    except TimeoutError:
        message = f"{names} should fail, {found} do\n{daemon.log}"
        raise AssertionError(message) from None


def used_s(daemon: Daemon) -> float:
    """Seconds of CPU that the daemon itself has used."""
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def idleness(daemon: Daemon, over_s: float) -> float:
    """Which part of a core the daemon takes meanwhile."""
    before, began = used_s(daemon), anyio.current_time()
    await anyio.sleep(over_s)
    return (used_s(daemon) - before) / (anyio.current_time() - began)


@asynccontextmanager
async def a_site(folder: Path) -> AsyncIterator[tuple[Site, Proxy]]:
    """A site with a broker, and the wire before it; the database is the daemon's own."""
    (folder / "nats").mkdir()
    async with (
        run_broker(folder / "nats") as broker,
        proxy.before(_port(broker.url)) as wire,
        _ended(Site(folder, broker)) as site,
    ):
        site.use_broker_at(wire.port)
        yield site, wire


@asynccontextmanager
async def a_site_with_database(
    folder: Path,
) -> AsyncIterator[tuple[Site, surreal.Bridge, Proxy]]:
    """A site with a broker and a database server, and the wire before the latter."""
    async with (
        surreal.running(folder / "db") as server,
        proxy.before(server.port) as wire,
        a_site(folder) as (site, _),
    ):
        site.use_database(server, wire.port)
        yield site, server, wire


@asynccontextmanager
async def _ended(site: Site) -> AsyncIterator[Site]:
    try:
        yield site
    finally:
        site.open_gate()
        for each in site.members:
            await run_sync(each.end)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
