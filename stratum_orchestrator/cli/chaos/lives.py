"""Daemons that live in a cradle: begun, killed, frozen, and begun again on what was left."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE

import anyio
import msgspec
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream

from stratum_orchestrator.audit.observed import Observed
from stratum_orchestrator.cli.chaos import evidence
from stratum_orchestrator.cli.chaos.cradle import Collect, Order, Serve, Told
from stratum_orchestrator.client.answers import Address

_MODULE = "stratum_orchestrator.cli.chaos.cradle"
_LINE = 1 << 16
_POLL_S = 0.01
_STARTS_WITHIN_S = 120.0
_STOPS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 30.0
_BROKER = "nats-server"


class NoLife(Exception):
    """A daemon ended though nobody killed it."""

    def __init__(self, code: int, log: Path) -> None:
        super().__init__(f"the daemon ended with {code}; its log is {log}")
        self.code = code


class NotReady(Exception):
    """A daemon neither takes events in nor ends."""

    def __init__(self, within_s: float, log: Path) -> None:
        super().__init__(f"the daemon is not ready within {within_s:g} s; its log is {log}")


class Life:
    """One process of a cradle, from its fork to its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._over = anyio.Event()

    @property
    def is_over(self) -> bool:
        return self._code is not None

    async def over(self) -> int:
        """Wait for its end: the exit code, or the negative number of the signal."""
        await self._over.wait()
        return self._code or 0

    def end(self, code: int) -> None:
        """Take note of its end."""
        self._code = code
        self._over.set()

    def signal(self, number: signal.Signals) -> None:
        if not self.is_over:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL, as a crash would; return when it is gone."""
        self.signal(signal.SIGKILL)
        await self.over()

    def kill_broker(self) -> bool:
        """SIGKILL its nats-server, which it is to start again; False when it has none now."""
        for child in _children(self.pid):
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == _BROKER:
                    os.kill(child, signal.SIGKILL)
                    return True
        return False


class Cradle:
    """Bears processes; those that are left end with it."""

    def __init__(self, orders: ByteSendStream) -> None:
        self._orders = orders
        self._lives: dict[int, Life] = {}
        self._asked = anyio.Lock()
        self._born: list[int] = []
        self._news = anyio.Event()

    async def bear(self, order: Order) -> Life:
        """Begin the process that is ordered."""
        async with self._asked:
            await self._orders.send(msgspec.json.encode(order) + b"\n")
            while not self._born:
                await self._news.wait()
            return self._lives[self._born.pop()]

    async def listen(self, said: ByteReceiveStream) -> None:
        """Hear what becomes of the processes, until it ends."""
        lines = BufferedByteReceiveStream(said)
        while True:
            try:
                line = await lines.receive_until(b"\n", _LINE)
            except (anyio.EndOfStream, anyio.IncompleteRead):
                return
            self._take(msgspec.json.decode(line, type=Told))

    def _take(self, told: Told) -> None:
        if told.ended is not None:
            self._lives.pop(told.pid).end(told.ended)
            return
        self._lives[told.pid] = Life(told.pid)
        self._born.append(told.pid)
        self._news.set()
        self._news = anyio.Event()


@asynccontextmanager
async def cradle(variables: Mapping[str, str]) -> AsyncIterator[Cradle]:
    """A warm interpreter; importing everything takes it a second or two."""
    command = [sys.executable, "-m", _MODULE]
    async with (
        await anyio.open_process(
            command, stdin=PIPE, stdout=PIPE, stderr=None, env=variables, start_new_session=True
        ) as process,
        anyio.create_task_group() as tasks,
    ):
        orders, said = process.stdin, process.stdout
        if orders is None or said is None:
            raise NoLife(0, Path(_MODULE))
        made = Cradle(orders)
        tasks.start_soon(made.listen, said)
        try:
            yield made
        finally:
            with anyio.move_on_after(_ENDS_WITHIN_S, shield=True) as ending:
                await orders.aclose()
                await process.wait()
            if ending.cancelled_caught:
                tasks.cancel_scope.cancel()


class Household:
    """One home, and the daemons that serve it one after the other."""

    def __init__(self, cradle: Cradle, home: Path, variables: Mapping[str, str]) -> None:
        self.home = home
        self.log = home.parent / "daemon.log"
        self.life: Life | None = None
        self._cradle = cradle
        self._variables = variables

    async def begin(self, **more: str) -> Life:
        """Begin a daemon on what the last one left; `more` variables are for it alone."""
        variables = {**self._variables, **more}
        order = Serve(home=str(self.home), variables=variables, log=str(self.log))
        self.life = await self._cradle.bear(order)
        return self.life

    @property
    def address(self) -> Address | None:
        """Where the daemon is, as soon as it is ready."""
        with suppress(OSError, msgspec.DecodeError):
            said = (self.home / "run" / "daemon.json").read_bytes()
            address = msgspec.json.decode(said, type=Address)
            if self.life and not self.life.is_over and address.pid == self.life.pid:
                return address
        return None

    async def ready(self) -> Address | None:
        """Wait until the daemon takes in events; None when it ends before. Raises NotReady."""
        with anyio.move_on_after(_STARTS_WITHIN_S):
            while self.life is not None and not self.life.is_over:
                if (address := self.address) is not None:
                    return address
                await anyio.sleep(_POLL_S)
            return None
        raise NotReady(_STARTS_WITHIN_S, self.log)

    async def begin_and_be_ready(self) -> Address:
        """Begin a daemon that nobody kills; NoLife when it ends nevertheless."""
        life = await self.begin()
        address = await self.ready()
        if address is None:
            raise NoLife(await life.over(), self.log)
        return address

    async def stop(self) -> None:
        """Ask the daemon to end, and wait until it has."""
        if self.life is None:
            return
        self.life.signal(signal.SIGTERM)
        with anyio.move_on_after(_STOPS_WITHIN_S):
            await self.life.over()
            return
        await self.life.kill()

    async def collect(self) -> Observed:
        """Everything that is on record. No daemon may be running."""
        into = self.home.parent / "evidence.json"
        order = Collect(
            home=str(self.home),
            variables=self._variables,
            log=str(self.log),
            into=str(into),
        )
        code = await (await self._cradle.bear(order)).over()
        if code:
            raise NoLife(code, self.log)
        return evidence.read(into)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found
